"""The GAT layer: its float64 oracle, its error bounds, and the faults that are known."""

from gnnbench.numerics.gat.bounds import gat_bound, gat_bounds
from gnnbench.numerics.gat.inputs import (
    equal_gat_inputs,
    gat_headroom,
    real_gat_inputs,
    require_equal_shares,
)
from gnnbench.numerics.gat.oracle import GatInputs, GatOracle, gat_oracle

__all__ = [
    "GatInputs",
    "GatOracle",
    "equal_gat_inputs",
    "gat_bound",
    "gat_bounds",
    "gat_headroom",
    "gat_oracle",
    "real_gat_inputs",
    "require_equal_shares",
]
