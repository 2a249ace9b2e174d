"""Graphs: the type, the probe graphs, generators that scale, and the citation networks."""

from gnnbench.graphs.generators import power_law
from gnnbench.graphs.graph import SELF_LOOPS, Graph, SelfLoops
from gnnbench.graphs.probes import ProbeGraph, probe_graphs

__all__ = [
    "SELF_LOOPS",
    "Graph",
    "ProbeGraph",
    "SelfLoops",
    "power_law",
    "probe_graphs",
]
