"""Exact probe graphs by what is special about them: every shape, with every kind of weights, under every convention.

The probe graphs of `exact.py` have one thing each. Here loops, duplicates, weights and the convention of
self-loops vary apart from each other, so that what is wrong only where two of them meet is met.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch

from gnnbench.graphs.graph import Graph, SelfLoops


@dataclass(frozen=True, slots=True)
class _Shape:
    degrees: Mapping[int, int]
    """How many nodes of each normalised in-degree, powers of 4."""
    loops: int = 0
    """Self-loops of its own on two of three nodes of degree 4 and more."""
    duplicates: bool = False
    """Whether a node hears three others only, again and again."""


_FEW = MappingProxyType({1: 14, 4: 12, 16: 5})

_SHAPES: dict[str, _Shape] = {
    "plain": _Shape(_FEW),
    "duplicates": _Shape(_FEW, duplicates=True),
    "own loops": _Shape(_FEW, loops=1),
    "two loops a node": _Shape(_FEW, loops=2),
    "own loops and duplicates": _Shape(_FEW, loops=1, duplicates=True),
    "a long row": _Shape({1: 230, 4: 40, 256: 1}),
    "no edges": _Shape({1: 12}),
}

#: The plainest first.
EXACT_SHAPES: tuple[str, ...] = tuple(_SHAPES)

#: Kind of weights → what one pair of edges weighs, which is 2 in all, and what one and two loops of a node weigh.
_WEIGHTS: dict[str, tuple[tuple[float, float], tuple[float, ...], tuple[float, ...]]] = {
    "unweighted": ((1.0, 1.0), (1.0,), (1.0, 1.0)),
    "weighted": ((0.5, 1.5), (2.0,), (0.5, 1.5)),
    "negative weights": ((-0.5, 2.5), (2.0,), (2.5, -0.5)),
    "zero weights": ((0.5, 1.5), (0.0,), (0.0, 2.0)),
}

EXACT_WEIGHTS: tuple[str, ...] = tuple(_WEIGHTS)


def shaped_exact_graph(shape: str, weights: str, self_loops: SelfLoops = "add", *, seed: int = 0) -> Graph:
    """A graph whose normalised in-degrees under `self_loops` are 1, 4, 16 or 256; 0 for nodes nobody can hear.

    Directed, unsorted, the last node isolated. Loops of weight 0 count as loops: under `"add_remaining"` their nodes
    get no other. With `"zero weights"` nodes of degree 4 and more hear one edge of weight 0 besides.

    Args:
        shape: one of `EXACT_SHAPES`.
        weights: one of `EXACT_WEIGHTS`.
        self_loops: the convention under which the graph is exact.
        seed: of the neighbours and of the order of nodes and edges.

    Raises:
        ValueError: for an unknown shape or kind of weights.
    """
    if shape not in _SHAPES or weights not in _WEIGHTS:
        raise ValueError(
            f"expected a shape of {', '.join(_SHAPES)} and weights of {', '.join(_WEIGHTS)}, "
            f"found {shape!r} and {weights!r}"
        )
    plan, (pair, one, two) = _SHAPES[shape], _WEIGHTS[weights]
    generator = torch.Generator().manual_seed(seed)
    degree = torch.repeat_interleave(
        torch.tensor(list(plan.degrees)), torch.tensor(list(plan.degrees.values()))
    )
    num_nodes, large = len(degree), degree >= 4
    own = {0: (), 1: one, 2: two}[plan.loops]
    looped = large & (torch.arange(num_nodes) % 3 != 0) & (plan.loops > 0)
    added = {"add": torch.ones_like(looped), "add_remaining": ~looped, "none": torch.zeros_like(looped)}[
        self_loops
    ]
    # What edges from other nodes weigh: the degree, less the node's own loops and the one that is going to be added.
    heard = degree - added.long() - looped.long() * int(sum(own))
    idle = large.long() if weights == "zero weights" else torch.zeros_like(degree)
    edges = torch.zeros_like(degree) if shape == "no edges" else heard + idle

    target = torch.repeat_interleave(torch.arange(num_nodes), edges)
    slot = torch.arange(len(target)) - torch.repeat_interleave(edges.cumsum(0) - edges, edges)
    if plan.duplicates:
        step = torch.randint(3, (len(target),), generator=generator)
    else:
        # Neighbours in a row from a random start are all different.
        step = torch.randint(num_nodes - 1, (num_nodes,), generator=generator)[target] + slot
    source = (target + 1 + step % (num_nodes - 1)) % num_nodes
    weight = torch.where(slot % 2 == 0, pair[0], pair[1])
    weight = torch.where(slot < heard[target] // 2 * 2, weight, (slot < heard[target]).float())
    for loop in own:
        nodes = looped.nonzero()[:, 0]
        source, target = torch.cat([source, nodes]), torch.cat([target, nodes])
        weight = torch.cat([weight, torch.full((len(nodes),), loop)])

    shuffled = torch.randperm(num_nodes, generator=generator)
    order = torch.randperm(len(target), generator=generator)
    edge_index = torch.stack([shuffled[source[order]], shuffled[target[order]]])
    return Graph(edge_index, num_nodes + 1, None if weights == "unweighted" else weight[order])
