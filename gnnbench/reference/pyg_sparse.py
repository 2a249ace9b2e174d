"""PyTorch Geometric's `GCNConv` on a torch.sparse CSR adjacency matrix: sparse matrix products."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.product import require_product
from gnnbench.reference.pyg import (
    GcnConvLayer,
    WeightedGcnConvLayer,
    require_pyg,
    require_sparse_convention,
)


class PygSparseBackend:
    """The path of `ToSparseTensor`; the matrix is made by PyG's own `to_torch_csr_tensor`."""

    name = "pyg_sparse"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> GcnConvLayer:
        """Make adj_t; raises `UnsupportedByBackend` where this path's self-loops or multi-edges differ."""
        require_pyg("torch_geometric.utils")
        require_sparse_convention(graph, self_loops)
        placed = graph.to(device)
        weight = placed.weights(dtype) if placed.is_weighted else None
        # Without weights PyG fills in float32 ones, whatever dtype the features have.
        adj_t = _adj_t(placed, weight).to(dtype)
        require_product(adj_t, backend=self.name)
        return GcnConvLayer(adj_t, None, self_loops=self_loops)

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedGcnConvLayer:
        """As `bind`; adj_t is made in each call. Multi-edges add up, for they have weights."""
        require_pyg("torch_geometric.utils")
        placed = Graph(graph.edge_index, graph.num_nodes, graph.weights(dtype)).to(device)
        require_sparse_convention(placed, self_loops)
        require_product(_adj_t(placed, placed.edge_weight), backend=self.name)
        return WeightedGcnConvLayer(
            lambda weight: (_adj_t(placed, weight.to(dtype)), None), self_loops=self_loops
        )


def _adj_t(graph: Graph, weight: Tensor | None) -> Tensor:
    """The transpose of the adjacency matrix that PyG makes from edge_index, in CSR: what GCNConv wants.

    Row i of it holds the in-edges of i. Turning the edges around makes it at once; .t() gives CSC, which
    gcn_norm refuses.
    """
    utils = require_pyg("torch_geometric.utils")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
        adj_t: Tensor = utils.to_torch_csr_tensor(
            graph.edge_index.flip(0), weight, (graph.num_nodes, graph.num_nodes)
        )
    return adj_t
