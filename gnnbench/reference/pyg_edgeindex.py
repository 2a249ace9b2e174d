"""PyTorch Geometric's `GCNConv` on its `EdgeIndex`, the tensor subclass that knows its order and size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.protocol import UnsupportedByBackend
from gnnbench.reference.pyg import (
    GcnConvLayer,
    WeightedGcnConvLayer,
    require_edge_index_convention,
    require_pyg,
)


class PygEdgeIndexClassBackend:
    """`EdgeIndex` sorted by target, as its documentation advises."""

    name = "pyg_edgeindex"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> GcnConvLayer:
        """Sort the edges.

        Raises:
            UnsupportedByBackend: where this path's self-loops differ, or PyG has no EdgeIndex.
        """
        edges, order = _sorted(graph, device, self_loops)
        weight = _in(order, graph.to(device).weights(dtype)) if graph.is_weighted else None
        return GcnConvLayer(edges, weight, self_loops=self_loops)

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedGcnConvLayer:
        """As `bind`; weights are brought into the order of the sorted edges in each call."""
        edges, order = _sorted(graph, device, self_loops)
        return WeightedGcnConvLayer(
            lambda weight: (edges, _in(order, weight.to(dtype))), self_loops=self_loops
        )


def _sorted(graph: Graph, device: torch.device, self_loops: SelfLoops) -> tuple[Any, Tensor | None]:
    """The `EdgeIndex`, and the order it was brought into: None where the edges were sorted already."""
    pyg = require_pyg("torch_geometric")
    if not hasattr(pyg, "EdgeIndex"):
        raise UnsupportedByBackend("this PyTorch Geometric has no EdgeIndex: it came with PyG 2.6")
    require_edge_index_convention(graph, self_loops, path="EdgeIndex")
    size = (graph.num_nodes, graph.num_nodes)
    # EdgeIndex refuses what is not contiguous, as the transpose of a list of pairs.
    edge_index = graph.to(device).edge_index.contiguous()
    edges, order = pyg.EdgeIndex(edge_index, sparse_size=size).sort_by("col")
    return edges, order


def _in(order: Tensor | None, weight: Tensor) -> Tensor:
    return weight if order is None else weight[order]
