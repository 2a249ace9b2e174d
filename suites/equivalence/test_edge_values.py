"""What the weights of edges may be: all the same, real ones by the tens of thousands."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from gnnbench.checks import Evidence, check
from gnnbench.graphs import Graph
from gnnbench.numerics import evaluate, exact_inputs, real_inputs
from gnnbench.reference import Backend

from .cases import Case, bind, judge, make_case
from .variants import judge_variants, run_cases

#: One weight for all edges → in-degrees n for which 1 + n·weight, the self-loop counted, is a power of 4.
EQUAL: dict[float, tuple[int, ...]] = {
    3.0: (0, 1, 5, 21),
    0.25: (0, 12, 60),
    0.5: (0, 6, 30),
    5.0: (0, 3, 51),
    -0.25: (0, 3),
    0.0: (0, 3, 20),
}

#: Each order in which the edges of one large graph are listed.
MANY = ("unsorted", "sorted by target", "sorted by source")

_NODES, _EDGES = 1_500, 60_000


@cache
def equal_weights() -> dict[str, Case]:
    """A graph for each of `EQUAL`, of nodes that hear as many others as it says, in turn."""
    cases = {}
    for value, heard in EQUAL.items():
        generator = torch.Generator().manual_seed(0)
        num_nodes = max(heard) + 11
        node = torch.arange(num_nodes)
        degree = torch.tensor(heard)[node % len(heard)]
        target = torch.repeat_interleave(node, degree)
        slot = torch.arange(len(target)) - torch.repeat_interleave(degree.cumsum(0) - degree, degree)
        source = (target + 1 + slot) % num_nodes
        order = torch.randperm(len(target), generator=generator)
        edge_index = torch.stack([source[order], target[order]])
        graph = Graph(edge_index, num_nodes, torch.full((len(target),), value))
        cases[f"all edges weigh {value:g}"] = make_case(graph, exact_inputs(num_nodes), exact=True)
    return cases


@check(
    tier="standard",
    catches=("F17",),
    fix="Weights that are all the same are taken for none: what does not change with a constant factor is the layer "
    "without self-loops. With them, every weight counts against the loop, which is always 1.",
)
def test_equal_weights(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Edge weights that are all 3, all 1/4, all 0: not the unweighted layer. Bit for bit."""
    judge_variants(evidence, backend, run_cases(backend, equal_weights(), device))


@cache
def many_edges(order: str) -> Case:
    """60,000 edges among 1,500 nodes, their weights from 2^-6 to 2^6, self-loops and duplicates among them.

    Sources are drawn with the square of a uniform number, so that some nodes speak to hundreds.
    """
    generator = torch.Generator().manual_seed(0)
    source = (torch.rand(_EDGES, generator=generator).square() * _NODES).long()
    target = torch.randint(_NODES - 1, (_EDGES,), generator=generator)
    weight = torch.exp2(torch.rand(_EDGES, generator=generator) * 12 - 6)
    if order != "unsorted":
        by = (target if order == "sorted by target" else source).argsort(stable=True)
        source, target, weight = source[by], target[by], weight[by]
    graph = Graph(torch.stack([source, target]), _NODES, weight)
    return make_case(graph, real_inputs(_NODES, 8, 6), exact=False)


@check(
    tier="standard",
    catches=("F04", "F12", "F46"),
    fix="The layer is wrong for weighted graphs of this size, or for this order of edges: look for another path "
    "from a number of edges on, and for weights that are not sorted along with the edges.",
)
@pytest.mark.parametrize("order", MANY)
def test_many_edges(backend: Backend, order: str, device: torch.device, evidence: Evidence) -> None:
    """Tens of thousands of edges with real weights, sorted by either end or not: within the error bounds."""
    case = many_edges(order)
    layer = bind(backend, case.graph, device)
    judge(evidence, backend, case.compare(evaluate(layer, case.inputs.to(device)), device))
