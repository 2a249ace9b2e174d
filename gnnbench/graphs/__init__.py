"""Graphs: the type, the probe graphs, generators that scale, and the citation networks."""

from gnnbench.graphs.citation import planetoid
from gnnbench.graphs.crowded import CROWDED_DEGREE, crowded_exact_graph
from gnnbench.graphs.exact import EXACT_DEGREES, exact_probe_graphs
from gnnbench.graphs.exact_shapes import EXACT_SHAPES, EXACT_WEIGHTS, shaped_exact_graph
from gnnbench.graphs.generators import power_law
from gnnbench.graphs.graph import SELF_LOOPS, Graph, SelfLoops
from gnnbench.graphs.node_classification import NodeClassification
from gnnbench.graphs.planetoid_files import PLANETOID_NAMES, DatasetAbsent, DatasetCorrupt
from gnnbench.graphs.probes import ProbeGraph, probe_graphs
from gnnbench.graphs.random_graphs import Choices, RandomChoices, describe_graph, random_graph
from gnnbench.graphs.sized import balanced_exact_graph, disjoint_union, rows_of_lengths, sized_exact_graph
from gnnbench.graphs.stand_in import stochastic_block_model_cora

__all__ = [
    "CROWDED_DEGREE",
    "EXACT_DEGREES",
    "EXACT_SHAPES",
    "EXACT_WEIGHTS",
    "PLANETOID_NAMES",
    "SELF_LOOPS",
    "Choices",
    "DatasetAbsent",
    "DatasetCorrupt",
    "Graph",
    "NodeClassification",
    "ProbeGraph",
    "RandomChoices",
    "SelfLoops",
    "balanced_exact_graph",
    "crowded_exact_graph",
    "describe_graph",
    "disjoint_union",
    "exact_probe_graphs",
    "planetoid",
    "power_law",
    "probe_graphs",
    "random_graph",
    "rows_of_lengths",
    "shaped_exact_graph",
    "sized_exact_graph",
    "stochastic_block_model_cora",
]
