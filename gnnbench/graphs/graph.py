"""The graph that every backend, oracle and generator speaks of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

#: How a layer gives each node a loop to itself; see `Graph.with_self_loops`.
SelfLoops = Literal["add", "add_remaining", "none"]
SELF_LOOPS: tuple[SelfLoops, ...] = ("add", "add_remaining", "none")

#: Entries looked at together by the passes below, so that their temporaries stay near 100 MB however large
#: the graph.
_CHUNK = 1 << 23


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A directed multigraph with optional edge weights, in PyTorch Geometric's convention.

    Args:
        edge_index: int64 `[2, E]`, row 0 the source and row 1 the target of each edge. Messages flow
            source → target, so row i of the adjacency matrix holds the in-edges of node i:
            `A[target, source] += weight`.
        num_nodes: N. Nodes without any edge, also the last ones, exist because N says so.
        edge_weight: floating point `[E]`, or None where every edge weighs 1. Duplicate edges add up.

    Raises:
        ValueError: naming the first bad entry, what was expected there and what was found.
    """

    edge_index: Tensor
    num_nodes: int
    edge_weight: Tensor | None = None

    def __post_init__(self) -> None:
        _check_num_nodes(self.num_nodes)
        _check_edge_index(self.edge_index, self.num_nodes)
        if self.edge_weight is not None:
            _check_edge_weight(self.edge_weight, self.edge_index)

    @property
    def num_edges(self) -> int:
        """E, duplicates and self-loops counted."""
        return int(self.edge_index.shape[1])

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.edge_index.device

    @property
    def source(self) -> Tensor:
        """int64 `[E]`: the node each edge leaves."""
        return self.edge_index[0]

    @property
    def target(self) -> Tensor:
        """int64 `[E]`: the node each edge enters."""
        return self.edge_index[1]

    @property
    def is_weighted(self) -> bool:
        """Whether edge weights were given at all."""
        return self.edge_weight is not None

    @property
    def has_self_loops(self) -> bool:
        """Whether any edge leads from a node to itself."""
        return any(bool((self.source[part] == self.target[part]).any()) for part in _parts(self.num_edges))

    @property
    def has_duplicate_edges(self) -> bool:
        """Whether two edges share both source and target. Sorts a copy of the edges."""
        keys = (self.target * max(self.num_nodes, 1) + self.source).sort().values
        return bool((keys[1:] == keys[:-1]).any())

    @property
    def is_directed(self) -> bool:
        """Whether the adjacency matrix differs from its transpose, weights included. Sorts the edges.

        On an undirected graph A in place of its transpose can't be seen, forward or backward.
        """
        forth, back = _merged(self), _merged(self.reversed())
        return forth.indices().shape != back.indices().shape or not (
            torch.equal(forth.indices(), back.indices()) and torch.equal(forth.values(), back.values())
        )

    def weights(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Edge weights `[E]` in `dtype`, ones where the graph has none."""
        if self.edge_weight is None:
            return torch.ones(self.num_edges, dtype=dtype, device=self.device)
        return self.edge_weight.to(dtype)

    def in_degree(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Weighted in-degree `[N]`: the sum of the weights of the edges that enter each node, in `dtype`."""
        degree = torch.zeros(self.num_nodes, dtype=dtype, device=self.device)
        return degree.index_add_(0, self.target, self.weights(dtype))

    def with_self_loops(self, mode: SelfLoops = "add") -> Graph:
        """The graph with self-loops of weight 1 appended in the order of the nodes.

        `"add"` gives every node one more loop (A + I, the paper's Ã). `"add_remaining"` gives one to the
        nodes that have none and leaves the loops that are there as they are, so that several loops of a node
        still add up (PyTorch Geometric keeps only one of them). `"none"` changes nothing.

        Raises:
            ValueError: for any other mode.
        """
        if mode not in SELF_LOOPS:
            raise ValueError(
                f"self_loops: expected one of {', '.join(map(repr, SELF_LOOPS))}, found {mode!r}"
            )
        if mode == "none":
            return self
        nodes = torch.arange(self.num_nodes, device=self.device)
        if mode == "add_remaining":
            looped = torch.zeros(self.num_nodes, dtype=torch.bool, device=self.device)
            for part in _parts(self.num_edges):
                source, target = self.edge_index[:, part]
                looped[source[source == target]] = True
            nodes = nodes[~looped]
        weight = self.edge_weight
        if weight is not None:
            weight = torch.cat([weight, weight.new_ones(len(nodes))])
        return Graph(torch.cat([self.edge_index, nodes.expand(2, -1)], dim=1), self.num_nodes, weight)

    def reversed(self) -> Graph:
        """The graph with every edge turned around: its adjacency matrix is the transpose."""
        return Graph(self.edge_index.flip(0), self.num_nodes, self.edge_weight)

    def to(self, device: torch.device | str) -> Graph:
        """The same graph on `device`; itself where it is already there."""
        device = torch.device(device)
        if device == self.device:
            return self
        weight = None if self.edge_weight is None else self.edge_weight.to(device)
        return Graph(self.edge_index.to(device), self.num_nodes, weight)


def _merged(graph: Graph) -> Tensor:
    """The adjacency matrix as coalesced float64 COO."""
    return torch.sparse_coo_tensor(
        graph.edge_index.flip(0),
        graph.weights(torch.float64).detach(),
        (graph.num_nodes, graph.num_nodes),
        check_invariants=False,
    ).coalesce()


def _parts(length: int) -> Iterator[slice]:
    for start in range(0, length, _CHUNK):
        yield slice(start, min(start + _CHUNK, length))


def _check_num_nodes(num_nodes: object) -> None:
    if isinstance(num_nodes, bool) or not isinstance(num_nodes, int):
        raise ValueError(f"num_nodes: expected an int, found {num_nodes!r}")  # noqa: TRY004 - as all here
    if num_nodes < 0:
        raise ValueError(f"num_nodes = {num_nodes}: expected 0 or more")


def _check_edge_index(edge_index: object, num_nodes: int) -> None:
    if not isinstance(edge_index, Tensor):
        raise ValueError(f"edge_index: expected a torch.Tensor, found {type(edge_index).__name__}")  # noqa: TRY004
    if edge_index.layout != torch.strided:
        raise ValueError(f"edge_index: expected a dense tensor, found layout {edge_index.layout}")
    if edge_index.dtype != torch.int64:
        raise ValueError(f"edge_index: expected dtype torch.int64, found {edge_index.dtype}")
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(
            f"edge_index: expected shape [2, E] (row 0 sources, row 1 targets), "
            f"found {list(edge_index.shape)}"
        )
    if edge_index.shape[1] == 0:
        return
    low, high = torch.aminmax(edge_index)
    if int(low) >= 0 and int(high) < num_nodes:
        return
    for part in _parts(edge_index.shape[1]):
        chunk = edge_index[:, part]
        bad = ((chunk < 0) | (chunk >= num_nodes)).any(dim=0)
        if bool(bad.any()):
            column = int(bad.nonzero()[0])
            entries = [int(value) for value in chunk[:, column]]
            row = 0 if not 0 <= entries[0] < num_nodes else 1
            raise ValueError(
                f"edge_index[{row}, {part.start + column}] = {entries[row]}: "
                f"expected a node in [0, {num_nodes})"
            )


def _check_edge_weight(edge_weight: object, edge_index: Tensor) -> None:
    if not isinstance(edge_weight, Tensor):
        raise ValueError(f"edge_weight: expected a torch.Tensor or None, found {type(edge_weight).__name__}")  # noqa: TRY004
    if edge_weight.layout != torch.strided:
        raise ValueError(f"edge_weight: expected a dense tensor, found layout {edge_weight.layout}")
    if not edge_weight.is_floating_point():
        raise ValueError(f"edge_weight: expected a floating point dtype, found {edge_weight.dtype}")
    if edge_weight.dim() != 1:
        raise ValueError(f"edge_weight: expected shape [E], found {list(edge_weight.shape)}")
    if edge_weight.shape[0] != edge_index.shape[1]:
        raise ValueError(
            f"edge_weight: expected one weight an edge, {edge_index.shape[1]}, found {edge_weight.shape[0]}"
        )
    if edge_weight.device != edge_index.device:
        raise ValueError(
            f"edge_weight: expected it on {edge_index.device} beside edge_index, "
            f"found it on {edge_weight.device}"
        )
    if edge_weight.shape[0] == 0:
        return
    # NaN propagates through min and max, so two numbers tell of all, without a temporary of E entries.
    low, high = torch.aminmax(edge_weight.detach())
    if math.isfinite(float(low)) and math.isfinite(float(high)):
        return
    for part in _parts(edge_weight.shape[0]):
        bad = ~torch.isfinite(edge_weight.detach()[part])
        if bool(bad.any()):
            entry = part.start + int(bad.nonzero()[0])
            raise ValueError(f"edge_weight[{entry}] = {float(edge_weight[entry])}: expected a finite number")
