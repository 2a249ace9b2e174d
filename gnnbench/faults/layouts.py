"""Backends that are wrong in how they keep the matrix: sparse layouts with false flags, caches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gnnbench.faults.fault import PLANTED
from gnnbench.faults.mutant import Mutant
from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.layer import AggregatingLayer
from gnnbench.reference.propagation import normalised_edges, propagation_coo, to_csr


@dataclass(frozen=True)
class CsrOfCoo:
    """CSR, made from what `spoil` leaves of a coalesced COO matrix."""

    spoil: Callable[[Tensor], Tensor]
    name: str = PLANTED

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> AggregatingLayer:
        """The layer on `graph`."""
        coo = propagation_coo(graph, device=device, dtype=dtype, self_loops=self_loops)
        matrix = to_csr(self.spoil(coo))
        return AggregatingLayer(lambda h: matrix @ h, device=device, dtype=dtype)


@dataclass(frozen=True)
class DenseOfCoo:
    """Dense, written entry by entry from a COO matrix: right where no two entries share a place."""

    spoil: Callable[[tuple[Tensor, Tensor, Tensor], Tensor], Tensor]
    name: str = PLANTED

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> AggregatingLayer:
        """The layer on `graph`."""
        edges = normalised_edges(graph, device=device, dtype=dtype, self_loops=self_loops)
        coo = propagation_coo(graph, device=device, dtype=dtype, self_loops=self_loops)
        spoilt = self.spoil(edges, coo)
        matrix = torch.zeros(spoilt.shape, dtype=dtype, device=device)
        matrix[spoilt.indices()[0], spoilt.indices()[1]] = spoilt.values()
        return AggregatingLayer(matrix.matmul, device=device, dtype=dtype)


def shuffled(matrix: Tensor) -> Tensor:
    """The same entries in a random order, and the claim that they are sorted."""
    order = torch.randperm(matrix.values().shape[0], generator=torch.Generator().manual_seed(0))
    return torch.sparse_coo_tensor(
        matrix.indices()[:, order],
        matrix.values()[order],
        matrix.shape,
        is_coalesced=True,
        check_invariants=False,
    )


def with_duplicates(edges: tuple[Tensor, Tensor, Tensor], matrix: Tensor) -> Tensor:
    """The entries before duplicates were added up, and the claim that they were."""
    target, source, value = edges
    return torch.sparse_coo_tensor(
        torch.stack([target, source]), value, matrix.shape, is_coalesced=True, check_invariants=False
    )


@dataclass(frozen=True)
class CachedBySize:
    """The first graph of each size answers for all of that size."""

    name: str = PLANTED
    layers: dict[Any, Any] = field(default_factory=dict)

    def bind(
        self, graph: Graph, *, device: Any = "cpu", dtype: Any = torch.float32, self_loops: str = "add"
    ) -> Callable[..., Any]:
        """The layer on the first such graph."""
        key = (graph.num_nodes, graph.num_edges, graph.is_weighted, self_loops)
        layer: Callable[..., Any] = self.layers.setdefault(
            key, Mutant().bind(graph, device=device, self_loops=self_loops)
        )
        return layer
