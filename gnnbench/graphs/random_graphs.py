"""Random graphs with everything that backends stumble over, made from whatever makes choices.

One recipe serves two: `RandomChoices` answers it from a seed, and `gnnbench.graphs.strategies` from
Hypothesis, which can make a graph smaller by taking choices back. For both the first option, and the lowest
number, is the simplest.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from gnnbench.graphs.graph import Graph

T = TypeVar("T")

#: Of explicit edges. They are few, so that each can be taken away again; hubs and bulk make graphs large.
_MOST_EDGES, _LAST_NODE = 30, 39

#: Past the 256 up to which bfloat16 counts, for most hubs.
_LARGEST_HUB = 600

_BULK_NODES, _BULK_EDGES = 400, 3000

#: The simplest first, and one in ten is 0. Powers of 2^(1/4) are no short binary fractions, so that sums and products round.
_WEIGHTS = (1.0, *(0.0,) * 5, *(2 ** (sign * step / 4) for step in range(1, 25) for sign in (1, -1)))


class Choices(Protocol):
    """Who decides what a random graph looks like."""

    def whole(self, low: int, high: int) -> int:
        """A whole number in [low, high]; low is the simplest."""
        ...

    def among(self, options: Sequence[T]) -> T:
        """One of `options`; the first is the simplest. One that stands there twice is as often chosen."""
        ...

    def many(self, make: Callable[[Choices], T], most: int) -> list[T]:
        """Up to `most` things; the fewer, the simpler."""
        ...


class RandomChoices:
    """Chooses by a pseudo-random generator of its own: one seed, one graph, on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - graphs, not secrets

    def whole(self, low: int, high: int) -> int:
        """Small numbers more often: one half of the draws falls into the lowest quarter."""
        return low + int((high - low + 1) * self._random.random() ** 2)

    def among(self, options: Sequence[T]) -> T:
        """Evenly."""
        return self._random.choice(options)

    def many(self, make: Callable[[Choices], T], most: int) -> list[T]:
        """As many as `whole` says."""
        return [make(self) for _ in range(self.whole(0, most))]


def random_graph(choices: Choices) -> Graph:
    """A directed multigraph on the CPU, from no node at all to some hundreds, weights float32 or None.

    It may have any of: own self-loops, duplicate edges apart from one another, nodes without edges, the last
    one among them, hubs of in- or out-degree up to 600, weights of 0 and from 2^-6 to 2^6, and a block of up
    to 3,000 random edges. Edges stand in no order. No weight is negative.
    """
    weighted = choices.among((False, True))
    reach = choices.whole(1, _LAST_NODE)
    edges = choices.many(lambda one: _edge(one, reach, weighted=weighted), _MOST_EDGES)
    parts = [_round_robin(edges)]
    if _seldom(choices):
        parts += choices.many(lambda one: _hub(one, reach, weighted=weighted), 2)
    if _seldom(choices):
        parts.append(_bulk(choices))
    pairs = torch.cat([part[0] for part in parts], dim=1)
    weight = torch.cat([part[1] for part in parts])
    if choices.among((False, True)):
        order = torch.randperm(weight.shape[0], generator=torch.Generator().manual_seed(0))
        pairs, weight = pairs[:, order], weight[order]
    isolated = choices.whole(0, 3)
    # One node is simpler to think about than none.
    num_nodes = int(pairs.max()) + 1 + isolated if pairs.numel() else (1, 2, 3, 0)[isolated]
    return Graph(pairs, num_nodes, weight if weighted else None)


def describe_graph(graph: Graph) -> str:
    """A graph in a few words: `2 nodes, 2 edges (unweighted, duplicates)`."""
    traits = ["weighted" if graph.is_weighted else "unweighted"]
    traits += ["self-loops"] * graph.has_self_loops + ["duplicates"] * graph.has_duplicate_edges
    if 0 < graph.num_edges <= 3:
        pairs = (f"{source}→{target}" for source, target in graph.edge_index.T.tolist())
        traits = [", ".join(pairs), *traits]
    nodes = "1 node" if graph.num_nodes == 1 else f"{graph.num_nodes:,} nodes"
    edges = "1 edge" if graph.num_edges == 1 else f"{graph.num_edges:,} edges"
    return f"{nodes}, {edges}" + (f" ({'; '.join(traits)})" if graph.num_edges else "")


@dataclass(frozen=True, slots=True)
class _Edge:
    source: int
    target: int
    weight: float
    copies: int


def _edge(choices: Choices, reach: int, *, weighted: bool) -> _Edge:
    """An edge between two nodes in [0, reach]: 0 → 1 is the simplest, a self-loop less simple than any other."""
    loop = choices.among((False,) * 9 + (True,))
    source, target = choices.whole(0, reach), choices.whole(0, reach - 1)
    target = source if loop else target + (target >= source)
    copies = choices.among((1, 1, 1, 1, 1, 1, 1, 2, 2, 3))
    return _Edge(source, target, choices.among(_WEIGHTS) if weighted else 1.0, copies)


def _round_robin(edges: Sequence[_Edge]) -> tuple[Tensor, Tensor]:
    """All edges, then the second copies, then the third, so that duplicates stand apart."""
    dealt = [edge for turn in range(3) for edge in edges if turn < edge.copies]
    pairs = torch.tensor([(edge.source, edge.target) for edge in dealt], dtype=torch.int64).reshape(-1, 2)
    return pairs.t().contiguous(), torch.tensor([edge.weight for edge in dealt], dtype=torch.float32)


def _hub(choices: Choices, reach: int, *, weighted: bool) -> tuple[Tensor, Tensor]:
    """A node that hears or reaches many others."""
    centre, degree = choices.whole(0, reach), choices.whole(1, _LARGEST_HUB)
    others = torch.arange(degree)
    others += others >= centre
    pairs = torch.stack([others, torch.full_like(others, centre)])
    pairs = pairs.flip(0) if choices.among((False, True)) else pairs
    return pairs, torch.full((degree,), choices.among(_WEIGHTS) if weighted else 1.0)


def _bulk(choices: Choices) -> tuple[Tensor, Tensor]:
    """Random edges, weights from 2^-6 to 2^6; one seed gives the edges of a smaller block first."""
    nodes, edges = choices.whole(1, _BULK_NODES), choices.whole(0, _BULK_EDGES)
    generator = torch.Generator().manual_seed(choices.whole(0, 999))
    drawn = torch.rand(_BULK_EDGES, 3, dtype=torch.float64, generator=generator)[:edges].t()
    pairs = (drawn[:2] * nodes).long().clamp_(max=nodes - 1)
    return pairs, torch.exp2(drawn[2] * 12 - 6).float()


def _seldom(choices: Choices) -> bool:
    """One time in five."""
    return choices.among((False, False, False, False, True))
