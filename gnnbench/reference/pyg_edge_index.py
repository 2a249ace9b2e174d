"""PyTorch Geometric's `GCNConv` on a plain `edge_index` tensor: gather and scatter."""

from __future__ import annotations

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.pyg import (
    GcnConvLayer,
    WeightedGcnConvLayer,
    require_edge_index_convention,
    require_pyg,
)


class PygEdgeIndexBackend:
    """The path most PyG programs take."""

    name = "pyg"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> GcnConvLayer:
        """Hand the edges over; raises `UnsupportedByBackend` where this path's self-loops differ."""
        require_pyg("torch_geometric.nn")
        require_edge_index_convention(graph, self_loops, path="edge_index")
        placed = graph.to(device)
        weight = placed.weights(dtype) if placed.is_weighted else None
        return GcnConvLayer(placed.edge_index, weight, self_loops=self_loops)

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedGcnConvLayer:
        """As `bind`, the weights handed to GCNConv in each call."""
        require_pyg("torch_geometric.nn")
        require_edge_index_convention(graph, self_loops, path="edge_index")
        edge_index = graph.to(device).edge_index
        return WeightedGcnConvLayer(lambda weight: (edge_index, weight.to(dtype)), self_loops=self_loops)
