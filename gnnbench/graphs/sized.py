"""Exact probe graphs of any size: what a kernel does at the edges of its tiles shows at some sizes only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gnnbench.graphs.graph import Graph

#: Steps of the rings below: with its self-loop a node has a degree of 4, and of 16.
_STEPS: tuple[tuple[int, ...], ...] = ((1, 3, 9), (1, 2, 3, 5, 7, 8, 11, 13, 16, 19, 22, 26, 27, 29, 31))


def sized_exact_graph(num_nodes: int, *, seed: int = 0) -> Graph:
    """A graph of exactly `num_nodes` nodes on which A + I has in-degrees of 1, 4, 16 and 64 only.

    Directed, weighted with 1/2, 1 and 3/2, unsorted, without self-loops or duplicates. The first and the last
    node are those that hear most; every fourth hears nobody, whatever the size of the graph, so that long
    and empty rows stand on both sides of each boundary of a tile. With less than 4 nodes, single edges of
    weight 3 make the degrees.

    Args:
        num_nodes: N, 0 or more.
        seed: of the neighbours and of the order of the edges.
    """
    generator = torch.Generator().manual_seed(seed)
    node = torch.arange(num_nodes)
    heard = torch.tensor([15, 3, 3, 0])[node % 4]
    heard[:1] = heard[-1:] = 63
    # A node has N - 1 others to hear: the next smaller degree where they are too few.
    for most in (63, 15, 3):
        if num_nodes <= most:
            heard[heard == most] = {63: 15, 15: 3, 3: 0}[most]
    target = torch.repeat_interleave(node, heard)
    slot = torch.arange(len(target)) - torch.repeat_interleave(heard.cumsum(0) - heard, heard)
    start = torch.randint(max(num_nodes - 1, 1), (num_nodes,), generator=generator)
    # Neighbours in a row from a random start are all different.
    source = (target + 1 + (start[target] + slot) % max(num_nodes - 1, 1)) % max(num_nodes, 1)
    # Pairs of 1/2 and 3/2 weigh as much as two edges of 1.
    weight = torch.where(
        slot < heard[target] // 2 * 2, torch.where(slot % 2 == 0, 0.5, 1.5), torch.ones(len(target))
    )
    if num_nodes in (2, 3):
        source, target, weight = torch.tensor([0]), torch.tensor([num_nodes - 1]), torch.tensor([3.0])
    order = torch.randperm(len(target), generator=generator)
    return Graph(torch.stack([source[order], target[order]]), num_nodes, weight[order])


def rows_of_lengths(lengths: Sequence[int]) -> Graph:
    """A graph on which A alone is exact, with a node that hears as many others as each of `lengths` says.

    Nodes 2i hear, nodes 2i + 1 hear nobody, and behind them stand as many nodes as the longest row needs, which hear
    themselves alone: their degree is 1. All weights of a row are 1 but its last, which fills the degree up to a power
    of 4. Directed, weighted, unsorted; for self-loops `"none"`.

    Args:
        lengths: of the rows, 0 or more each.
    """
    longest, first = max(lengths, default=0), 2 * len(lengths)
    length = torch.tensor(list(lengths), dtype=torch.int64)
    target = 2 * torch.repeat_interleave(torch.arange(len(length)), length)
    slot = torch.arange(len(target)) - torch.repeat_interleave(length.cumsum(0) - length, length)
    last = slot == torch.repeat_interleave(length - 1, length)
    degree = 4.0 ** torch.ceil(torch.log2(length.clamp_min(1).double()) / 2)
    filled = torch.repeat_interleave(degree - (length - 1), length).float()
    weight = torch.where(last, filled, torch.ones(len(target)))
    own = torch.arange(first, first + longest)
    source, target = torch.cat([first + slot, own]), torch.cat([target, own])
    weight = torch.cat([weight, torch.ones(longest)])
    order = torch.randperm(len(target), generator=torch.Generator().manual_seed(0))
    return Graph(torch.stack([source[order], target[order]]), first + longest, weight[order])


def balanced_exact_graph(nodes: Sequence[int] = (24, 40), *, weighted: bool = True, seed: int = 0) -> Graph:
    """A directed graph whose every node is heard as much as it hears, so that Â of it reversed is Âᵀ.

    Rings: node i hears i - s for each step s of its ring, the first ring with a degree of 4 and the second
    with 16, self-loop included; with one number of nodes there is one ring, which is connected. Weights of
    1/2, 1 and 3/2 belong to the step. Nodes and edges are shuffled.

    Raises:
        ValueError: for a ring too small for its steps to be different, or more rings than two.
    """
    if len(nodes) > len(_STEPS):
        raise ValueError(f"nodes: expected at most {len(_STEPS)} rings, found {len(nodes)}")
    generator = torch.Generator().manual_seed(seed)
    parts, weights, first = [], [], 0
    for count, steps in zip(nodes, _STEPS, strict=False):
        if count <= max(steps):
            raise ValueError(f"nodes: expected more than {max(steps)} in this ring, found {count}")
        node = torch.arange(count)
        source = torch.cat([(node - step) % count for step in steps])
        parts.append(torch.stack([source, node.repeat(len(steps))]) + first)
        pairs = len(steps) // 2
        weight = torch.tensor([0.5, 1.5] * pairs + [1.0] * (len(steps) - 2 * pairs))
        weights.append(torch.repeat_interleave(weight, count))
        first += count
    edge_index = torch.randperm(first, generator=generator)[torch.cat(parts, dim=1)]
    order = torch.randperm(edge_index.shape[1], generator=generator)
    return Graph(edge_index[:, order], first, torch.cat(weights)[order] if weighted else None)


def disjoint_union(graphs: Sequence[Graph]) -> Graph:
    """Several graphs as one, as mini-batches of graphs are made: the nodes of each after those before it.

    Weighted where any of them is; empty where there are none.
    """
    weighted = any(graph.is_weighted for graph in graphs)
    parts: list[Tensor] = [torch.empty(2, 0, dtype=torch.int64)]
    first = 0
    for graph in graphs:
        parts.append(graph.edge_index + first)
        first += graph.num_nodes
    weight = torch.cat([torch.empty(0), *(graph.weights() for graph in graphs)]) if weighted else None
    return Graph(torch.cat(parts, dim=1), first, weight)
