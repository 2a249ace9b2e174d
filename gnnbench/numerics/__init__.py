"""When two implementations of a GCN layer are the same: the float64 oracle, and three tiers of comparison."""

from gnnbench.numerics.adjacency import Adjacency, normalised_adjacency
from gnnbench.numerics.bounds import FP32, LAMBDA, TF32, PrecisionMode, gcn_bound, gcn_bounds, growth
from gnnbench.numerics.comparison import Comparison, compare
from gnnbench.numerics.exact import compare_exact, exact_headroom, require_exact
from gnnbench.numerics.inputs import exact_inputs, rademacher, real_inputs
from gnnbench.numerics.layer import (
    GRADIENTS,
    QUANTITIES,
    LayerInputs,
    LayerResult,
    Quantity,
    evaluate,
)
from gnnbench.numerics.oracle import Oracle, gcn_oracle
from gnnbench.numerics.precision import (
    BANDS,
    TRIPWIRES,
    Precision,
    Tripwire,
    classify,
    compare_precision,
    relative_error,
    tripwire_graph,
    tripwire_inputs,
)

__all__ = [
    "BANDS",
    "FP32",
    "GRADIENTS",
    "LAMBDA",
    "QUANTITIES",
    "TF32",
    "TRIPWIRES",
    "Adjacency",
    "Comparison",
    "LayerInputs",
    "LayerResult",
    "Oracle",
    "Precision",
    "PrecisionMode",
    "Quantity",
    "Tripwire",
    "classify",
    "compare",
    "compare_exact",
    "compare_precision",
    "evaluate",
    "exact_headroom",
    "exact_inputs",
    "gcn_bound",
    "gcn_bounds",
    "gcn_oracle",
    "growth",
    "normalised_adjacency",
    "rademacher",
    "real_inputs",
    "relative_error",
    "require_exact",
    "tripwire_graph",
    "tripwire_inputs",
]
