"""Counts at which 16 bits end, and buffers of a fixed size: edges into one node, and messages in all. Bit for bit.

Few nodes that hear each other very often, so that nobody needs more memory than the edges take.
"""

from __future__ import annotations

from functools import cache

import torch

from gnnbench.checks import Evidence, check
from gnnbench.graphs import crowded_exact_graph
from gnnbench.numerics import evaluate, exact_inputs
from gnnbench.reference import Backend

from .cases import Case, bind, judge, make_case
from .room import room

#: Hubs of 65,535 edges and more, a loop for each besides: 2,163,000 messages in all, and 2^21 are 2,097,152.
_SPLITS = (0, 1, 2, 300, *(0,) * 29)

#: 8 numbers a message, so that all have more than 2^24.
FEATURES, CHANNELS = 10, 8


@cache
def hub_case() -> Case:
    """Three nodes that hear 65,536 edges each, without weights and loops."""
    graph = crowded_exact_graph((0, 0, 0), self_loops="none", weighted=False)
    return make_case(graph, exact_inputs(graph.num_nodes, FEATURES, CHANNELS), exact=True, self_loops="none")


@check(
    tier="standard",
    catches=("F04", "F14", "F22"),
    fix="A degree, or the length of a row, is counted in 16 bits, or a row is summed in a buffer of fixed size. Edges "
    "into a node are to be counted in 32 bits at least.",
)
def test_hub(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Nodes of 65,536 in-edges, nearly all duplicates, unweighted and without loops: no message and no count is lost."""
    case = hub_case()
    layer = bind(backend, case.graph, device, "none")
    judge(evidence, backend, case.compare(evaluate(layer, case.inputs.to(device)), device))


@cache
def messages_case() -> Case:
    graph = crowded_exact_graph(_SPLITS)
    return make_case(graph, exact_inputs(graph.num_nodes, FEATURES, CHANNELS), exact=True)


@check(
    tier="standard",
    catches=("F04", "F14"),
    fix="Messages past a number are lost: an offset, a grid of blocks or a buffer ends there. See whether the number of "
    "edges (2^21 and some here), or of edges into a node (65,535 to 65,835), is what is too large.",
)
def test_messages(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """More than 2^21 messages of 2^24 numbers, 65,536 and more to each node, weighted, with loops: every one of them arrives."""
    case = messages_case()
    evidence.fact("edges", case.graph.num_edges)
    # Edges, weights, sorted copies of both, and messages of 8 numbers with their gradients: about 300 bytes an edge.
    with room(device, 300 * case.graph.num_edges, f"{case.graph.num_edges:,} edges", evidence):
        found = evaluate(bind(backend, case.graph, device), case.inputs.to(device))
    judge(evidence, backend, case.compare(found, device))
