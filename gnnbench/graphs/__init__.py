"""Graphs: the type, the probe graphs, generators that scale, and the citation networks."""

from gnnbench.graphs.graph import SELF_LOOPS, Graph, SelfLoops

__all__ = ["SELF_LOOPS", "Graph", "SelfLoops"]
