"""PyTorch Geometric's `GCNConv` on a torch.sparse CSR adjacency matrix: sparse matrix products."""

from __future__ import annotations

import warnings

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.product import require_product
from gnnbench.reference.pyg import GcnConvLayer, require_pyg, require_sparse_convention


class PygSparseBackend:
    """The path of `ToSparseTensor`; the matrix is made by PyG's own `to_torch_csr_tensor`."""

    name = "pyg_sparse"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> GcnConvLayer:
        """Make adj_t; raises `UnsupportedByBackend` where this path's self-loops or multi-edges differ."""
        utils = require_pyg("torch_geometric.utils")
        require_sparse_convention(graph, self_loops)
        placed = graph.to(device)
        weight = placed.weights(dtype) if placed.is_weighted else None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
            # GCNConv wants the transpose of the adjacency matrix that PyG makes from edge_index: row i of
            # adj_t holds the in-edges of i. Turning the edges around makes it in CSR at once; .t() gives CSC,
            # which gcn_norm refuses.
            adj_t = utils.to_torch_csr_tensor(
                placed.edge_index.flip(0), weight, (graph.num_nodes, graph.num_nodes)
            )
            # Without weights PyG fills in float32 ones, whatever dtype the features have.
            adj_t = adj_t.to(dtype)
            require_product(adj_t, backend=self.name)
        return GcnConvLayer(adj_t, None, self_loops=self_loops)
