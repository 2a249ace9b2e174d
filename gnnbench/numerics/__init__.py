"""When two implementations of a GCN layer are the same: the float64 oracle, and three tiers of comparison."""

from gnnbench.numerics.adjacency import Adjacency, normalised_adjacency
from gnnbench.numerics.bounds import FP32, FP64, LAMBDA, TF32, PrecisionMode, gcn_bound, gcn_bounds, growth
from gnnbench.numerics.comparison import Comparison, compare
from gnnbench.numerics.covering import Condition, covering_array
from gnnbench.numerics.determinism import (
    NoDeterministicImplementation,
    deterministic_algorithms,
    multiplies_sparse,
)
from gnnbench.numerics.edge_comparison import D_EDGE_WEIGHT, compare_edge_weights, evaluate_weighted
from gnnbench.numerics.edge_weights import (
    edge_weight_bound,
    edge_weight_gradient,
    require_exact_edge_weights,
)
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
from gnnbench.numerics.random_layer import RandomLayer, random_layer
from gnnbench.numerics.repetition import (
    Disagreement,
    Spread,
    differing_bits,
    differing_values,
    rule_of_three,
)
from gnnbench.numerics.roots import InverseRoots, inverse_roots, roots_graph
from gnnbench.numerics.rows import compare_rows, rows_of_layer, sample_rows

__all__ = [
    "BANDS",
    "D_EDGE_WEIGHT",
    "FP32",
    "FP64",
    "GRADIENTS",
    "LAMBDA",
    "QUANTITIES",
    "TF32",
    "TRIPWIRES",
    "Adjacency",
    "Comparison",
    "Condition",
    "Disagreement",
    "InverseRoots",
    "LayerInputs",
    "LayerResult",
    "NoDeterministicImplementation",
    "Oracle",
    "Precision",
    "PrecisionMode",
    "Quantity",
    "RandomLayer",
    "Spread",
    "Tripwire",
    "classify",
    "compare",
    "compare_edge_weights",
    "compare_exact",
    "compare_precision",
    "compare_rows",
    "covering_array",
    "deterministic_algorithms",
    "differing_bits",
    "differing_values",
    "edge_weight_bound",
    "edge_weight_gradient",
    "evaluate",
    "evaluate_weighted",
    "exact_headroom",
    "exact_inputs",
    "gcn_bound",
    "gcn_bounds",
    "gcn_oracle",
    "growth",
    "inverse_roots",
    "multiplies_sparse",
    "normalised_adjacency",
    "rademacher",
    "random_layer",
    "real_inputs",
    "relative_error",
    "require_exact",
    "require_exact_edge_weights",
    "roots_graph",
    "rows_of_layer",
    "rule_of_three",
    "sample_rows",
    "tripwire_graph",
    "tripwire_inputs",
]
