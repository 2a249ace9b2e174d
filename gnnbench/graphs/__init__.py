"""Graphs: the type, the probe graphs, generators that scale, and the citation networks."""

from gnnbench.graphs.exact import EXACT_DEGREES, exact_probe_graphs
from gnnbench.graphs.generators import power_law
from gnnbench.graphs.graph import SELF_LOOPS, Graph, SelfLoops
from gnnbench.graphs.probes import ProbeGraph, probe_graphs

__all__ = [
    "EXACT_DEGREES",
    "SELF_LOOPS",
    "Graph",
    "ProbeGraph",
    "SelfLoops",
    "exact_probe_graphs",
    "power_law",
    "probe_graphs",
]
