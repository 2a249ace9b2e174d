"""Small graphs, each of which makes certain faults visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from gnnbench.graphs.generators import power_law
from gnnbench.graphs.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class ProbeGraph:
    """A graph to put every backend through.

    Args:
        name: short and stable, for it becomes part of every check's id.
        graph: on the CPU.
        why: what the graph has, and which faults it makes visible.
        tier: the smallest tier that includes it.
        widths: (F, C), the widths of x and of the result that suit it. F < C makes backends that choose the
            cheaper order compute `(Â X) W`, F ≥ C `Â (X W)`.
    """

    name: str
    graph: Graph
    why: str
    tier: str = "smoke"
    widths: tuple[int, int] = (16, 8)


@cache
def probe_graphs() -> tuple[ProbeGraph, ...]:
    """Every probe graph, always in the same order. All but the named exceptions are directed and unsorted.

    On an undirected graph A in place of its transpose can't be seen, in edges sorted by target neither can a
    backend that takes them to be sorted, and without weights neither can one that drops them.
    """
    return (
        ProbeGraph(
            "mixed",
            _mixed(),
            "directed, weighted, unsorted; an own self-loop of weight 2.5, a duplicate edge, "
            "nodes without in-edges, an isolated node, an isolated last node, for N taken as max + 1: F06, "
            "F07, F17, F18, F19, F20, F22",
        ),
        ProbeGraph(
            "directed",
            _directed(),
            "directed, weighted, unsorted, without self-loops or duplicates, so that every path of PyTorch "
            "Geometric must answer alike: F17, F19, F20",
        ),
        ProbeGraph(
            "own_loops",
            _edges(
                6,
                [(0, 1), (1, 1), (4, 2), (2, 2), (0, 3), (2, 1), (3, 3)],
                [1.5, 0.5, 2.0, 3.0, 0.75, 1.25, 1.0],
            ),
            "self-loops of weight 0.5, 3 and 1: 'add' and 'add_remaining' differ: F17, F18",
        ),
        ProbeGraph(
            "double_loop",
            _edges(4, [(2, 1), (1, 1), (0, 2), (1, 1), (2, 0)], [0.5, 1.5, 2.0, 0.25, 1.0]),
            "two self-loops on one node, which add up; a backend that keeps one of them is off: F18, F22",
        ),
        ProbeGraph(
            "duplicates",
            _edges(
                5,
                [(3, 0), (0, 1), (3, 0), (1, 2), (0, 1), (2, 1), (3, 0)],
                [0.5, 1.0, 1.25, 2.0, 0.75, 1.5, 3.0],
            ),
            "weighted duplicate edges, apart from one another: overwritten instead of added, or wrongly "
            "marked as coalesced: F06, F07, F22",
        ),
        ProbeGraph(
            "multigraph",
            _edges(5, [(0, 1), (2, 1), (0, 1), (3, 2), (0, 1), (3, 2), (1, 3)]),
            "unweighted multi-edges: merging them to weight 1 loses edges: F07, F22",
        ),
        ProbeGraph(
            "unweighted",
            _edges(7, [(5, 0), (0, 3), (4, 1), (1, 0), (3, 0), (2, 4), (0, 5)]),
            "directed and unweighted, unsorted, isolated last node: weights defaulting to other than 1: F19",
        ),
        ProbeGraph(
            "undirected",
            _undirected(),
            "undirected, unweighted, sorted by source: what most users have; the control",
        ),
        ProbeGraph(
            "isolated",
            _edges(9, [(2, 6), (6, 2), (4, 2)], [4.0, 0.5, 2.0]),
            "most nodes isolated, the first and the last among them: empty rows, max + 1 taken for N",
        ),
        ProbeGraph(
            "zero_weight",
            _edges(4, [(0, 1), (2, 1), (1, 3), (3, 2)], [0.0, 2.0, 1.0, 0.0]),
            "edges of weight 0: without self-loops a degree of 0 over an edge that exists, 0 · ∞ = NaN",
        ),
        ProbeGraph(
            "single_edge",
            _edges(3, [(1, 0)], [0.5]),
            "one edge, to a lower node: squeezed dimensions, F16, F19",
        ),
        ProbeGraph(
            "two_edges",
            _edges(4, [(0, 3), (2, 1)], [0.5, 2.0]),
            "exactly two edges, whose edge_index is square: rows taken for columns, F19",
        ),
        ProbeGraph("no_edges", _edges(3, [], []), "no edges: every row is the node's own: F17, F24"),
        ProbeGraph("one_node", _edges(1, [], None), "one node, no edges: size-1 dimensions: F16, F24"),
        ProbeGraph(
            "one_loop", _edges(1, [(0, 0)], [2.5]), "one node with a self-loop of weight 2.5: F16, F17, F18"
        ),
        ProbeGraph(
            "width_1",
            _directed(),
            "one feature, one output: strides and squeezed dimensions of width 1: F16",
            widths=(1, 1),
        ),
        ProbeGraph(
            "widening",
            _mixed(),
            "more outputs than features, so that the cheaper order is (Â X) W: F20 on the other order",
            widths=(3, 11),
        ),
        ProbeGraph(
            "hub",
            _hub(257),
            "a node of in-degree 257 and one of out-degree 257: a bfloat16 sum of ones stops at 256: F14",
        ),
        ProbeGraph(
            "hub_2049",
            _hub(2049),
            "a node of in-degree 2049 and one of out-degree 2049: a float16 sum of ones stops at 2048: F14",
        ),
        ProbeGraph(
            "random",
            _random(num_nodes=300, num_edges=2400),
            "300 nodes, 2,400 weighted edges from 2^-6 to 2^6, with self-loops and duplicates: rows that "
            "cross the tiles of a kernel: F01, F08, F12, F41",
        ),
        ProbeGraph(
            "power_law",
            power_law(5_000, 40_000, seed=7, device="cpu"),
            "5,000 nodes, 40,000 edges with power-law degrees: balancing of short and long rows: F04, F12",
            tier="standard",
        ),
    )


def _edges(num_nodes: int, pairs: Sequence[tuple[int, int]], weights: Sequence[float] | None = None) -> Graph:
    """A graph from (source, target) pairs."""
    edge_index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).t().contiguous()
    return Graph(
        edge_index, num_nodes, None if weights is None else torch.tensor(weights, dtype=torch.float32)
    )


def _mixed() -> Graph:
    pairs = [(4, 1), (0, 3), (3, 3), (6, 1), (4, 1), (1, 0), (8, 6), (3, 6), (0, 1), (6, 4), (7, 3), (1, 7)]
    weights = [0.5, 2.0, 2.5, 1.75, 1.25, 0.375, 3.0, 0.25, 1.0, 0.625, 1.5, 0.875]
    # 8 has no in-edge; 2, 5, 9 and 10 have no edge at all.
    return _edges(11, pairs, weights)


def _directed() -> Graph:
    pairs = [(5, 0), (0, 4), (2, 1), (4, 0), (1, 4), (6, 4), (2, 5), (6, 0), (3, 2)]
    weights = [0.5, 1.5, 2.25, 0.75, 3.0, 1.25, 0.625, 2.0, 1.0]
    # 3 and 6 have no in-edge; 7 has no edge.
    return _edges(8, pairs, weights)


def _undirected() -> Graph:
    pairs = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (1, 5)]
    return _edges(6, sorted(pairs + [(target, source) for source, target in pairs]))


def _hub(degree: int) -> Graph:
    """Node 1 hears `degree` others, node 3 speaks to as many; unweighted, the last node isolated."""
    num_nodes = degree + 6
    others = torch.arange(5, 5 + degree)
    into = torch.stack([others, torch.full_like(others, 1)])
    out_of = torch.stack([torch.full_like(others, 3), others])
    few = torch.tensor([[3, 2, 4], [1, 3, 2]])
    edge_index = torch.cat([into[:, :-1], torch.tensor([[0], [1]]), out_of, few[:, 1:]], dim=1)
    order = torch.randperm(edge_index.shape[1], generator=torch.Generator().manual_seed(degree))
    return Graph(edge_index[:, order], num_nodes)


def _random(num_nodes: int, num_edges: int) -> Graph:
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(num_nodes - 1, (2, num_edges), generator=generator)
    edge_index[:, 1::97] = edge_index[:, :-1:97][:, : edge_index[:, 1::97].shape[1]]
    edge_index[1, 5::101] = edge_index[0, 5::101]
    weight = torch.exp2(torch.rand(num_edges, generator=generator) * 12 - 6)
    return Graph(edge_index, num_nodes, weight)
