"""PyTorch Geometric's `GCNConv(cached=True)`: the normalisation of the first call answers for all others."""

from __future__ import annotations

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.protocol import Layer
from gnnbench.reference.pyg import CachedGcnConvLayer, require_edge_index_convention, require_pyg


class PygCachedBackend:
    """The edge_index path as transductive programs use it, one module a graph.

    The module never looks whether it is called with the graph it has cached (PyG's issue #878), so one that
    served two graphs would answer for the first: it is the caller's to keep them apart.
    """

    name = "pyg_cached"
    tier = "standard"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Hand the edges over; raises `UnsupportedByBackend` where this path's self-loops differ."""
        require_pyg("torch_geometric.nn")
        require_edge_index_convention(graph, self_loops, path="edge_index")
        placed = graph.to(device)
        weight = placed.weights(dtype) if placed.is_weighted else None
        return CachedGcnConvLayer(placed.edge_index, weight, self_loops=self_loops)
