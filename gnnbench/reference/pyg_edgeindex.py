"""PyTorch Geometric's `GCNConv` on its `EdgeIndex`, the tensor subclass that knows its order and size."""

from __future__ import annotations

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.protocol import UnsupportedByBackend
from gnnbench.reference.pyg import GcnConvLayer, require_edge_index_convention, require_pyg


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
        pyg = require_pyg("torch_geometric")
        if not hasattr(pyg, "EdgeIndex"):
            raise UnsupportedByBackend("this PyTorch Geometric has no EdgeIndex: it came with PyG 2.6")
        require_edge_index_convention(graph, self_loops, path="EdgeIndex")
        placed = graph.to(device)
        size = (graph.num_nodes, graph.num_nodes)
        edges, order = pyg.EdgeIndex(placed.edge_index, sparse_size=size).sort_by("col")
        weight = None
        if placed.is_weighted:
            weight = placed.weights(dtype)
            # None where the edges were sorted already.
            weight = weight if order is None else weight[order]
        return GcnConvLayer(edges, weight, self_loops=self_loops)
