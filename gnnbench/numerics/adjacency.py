"""The normalised adjacency matrix Â in float64, from the definition.

It shares no code with the backends on purpose: a mistake in their normalisation must not be repeated in what
judges them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops

#: Numbers in one block of messages, so that a product takes 32 MiB beside its result however many edges
#: there are.
_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Adjacency:
    """A sparse `[N, N]` float64 matrix as triplets on the host; entries at the same place add up.

    Row `target` of a product collects `value` times row `source` of the factor.
    """

    source: Tensor
    """int64 `[M]`."""
    target: Tensor
    """int64 `[M]`."""
    value: Tensor
    """float64 `[M]`."""
    num_nodes: int

    def __matmul__(self, h: Tensor) -> Tensor:
        """`Â h` for h `[N, C]`, edge after edge: no sparse kernel, which could be the one under test."""
        out = torch.zeros(self.num_nodes, h.shape[1], dtype=torch.float64)
        step = max(1, _BLOCK // max(1, h.shape[1]))
        for start in range(0, self.value.shape[0], step):
            part = slice(start, start + step)
            messages = self.value[part, None] * h[self.source[part]]
            out.index_add_(0, self.target[part], messages)
        return out

    @property
    def transpose(self) -> Adjacency:
        """Âᵀ."""
        return Adjacency(self.target, self.source, self.value, self.num_nodes)

    @property
    def absolute(self) -> Adjacency:
        """|Â|: what error bounds are made of."""
        return Adjacency(self.source, self.target, self.value.abs(), self.num_nodes)

    @property
    def pattern(self) -> Adjacency:
        """1 for each entry that is not zero: products with it count."""
        return Adjacency(self.source, self.target, (self.value != 0).double(), self.num_nodes)

    @property
    def row_counts(self) -> Tensor:
        """float64 `[N]`: how many nonzero entries each row holds, duplicates apart."""
        return torch.zeros(self.num_nodes, dtype=torch.float64).index_add_(
            0, self.target, (self.value != 0).double()
        )


def looped_edges(graph: Graph, self_loops: SelfLoops = "add") -> tuple[Tensor, Tensor, Tensor]:
    """`(source, target, weight)` of Ã on the host, the weights in float64, loops at the end.

    `"add"` is Ã = A + I; `"add_remaining"` gives a loop of weight 1 to nodes that have none; `"none"` is A.
    """
    source, target = graph.edge_index.detach().cpu()
    if graph.edge_weight is None:
        weight = torch.ones(source.shape[0], dtype=torch.float64)
    else:
        weight = graph.edge_weight.detach().cpu().double()
    nodes = torch.arange(graph.num_nodes)
    if self_loops == "none":
        nodes = nodes[:0]
    elif self_loops == "add_remaining":
        nodes = nodes[~torch.isin(nodes, source[source == target])]
    elif self_loops != "add":
        raise ValueError(f"self_loops: expected 'add', 'add_remaining' or 'none', found {self_loops!r}")
    return (
        torch.cat([source, nodes]),
        torch.cat([target, nodes]),
        torch.cat([weight, torch.ones(nodes.shape[0], dtype=torch.float64)]),
    )


def in_degrees(target: Tensor, weight: Tensor, num_nodes: int) -> Tensor:
    """float64 `[N]`: the sum of the weights of the edges that enter each node."""
    return torch.zeros(num_nodes, dtype=torch.float64).index_add_(0, target, weight)


def inverse_root(degree: Tensor) -> Tensor:
    """`d^-1/2` as float64 `[N]`, 0 where d is 0; raises `ValueError` naming the first d below 0."""
    if bool((degree < 0).any()):
        node = int((degree < 0).nonzero()[0])
        raise ValueError(
            f"node {node}: expected a weighted in-degree of at least 0, found {float(degree[node])}; "
            "its square root is not real"
        )
    return torch.where(degree > 0, degree.clamp_min(torch.finfo(torch.float64).tiny).pow(-0.5), 0.0)


def normalised_adjacency(graph: Graph, self_loops: SelfLoops = "add") -> Adjacency:
    """Â = D̃^-1/2 Ã D̃^-1/2 (Kipf & Welling 2017, eq. 2), D̃ the in-degrees of Ã.

    Raises:
        ValueError: for an unknown `self_loops`, or a node whose weighted in-degree is below 0.
    """
    source, target, weight = looped_edges(graph, self_loops)
    scale = inverse_root(in_degrees(target, weight, graph.num_nodes))
    return Adjacency(source, target, scale[target] * weight * scale[source], graph.num_nodes)
