"""The GraphSAGE layer: its float64 oracle, its error bounds, and the faults that are known."""

from gnnbench.numerics.sage.bounds import sage_bound, sage_bounds
from gnnbench.numerics.sage.inputs import (
    exact_sage_inputs,
    positive_sage_inputs,
    real_sage_inputs,
    require_exact_sage,
    sage_headroom,
)
from gnnbench.numerics.sage.oracle import SageInputs, SageOracle, sage_oracle

__all__ = [
    "SageInputs",
    "SageOracle",
    "exact_sage_inputs",
    "positive_sage_inputs",
    "real_sage_inputs",
    "require_exact_sage",
    "sage_bound",
    "sage_bounds",
    "sage_headroom",
    "sage_oracle",
]
