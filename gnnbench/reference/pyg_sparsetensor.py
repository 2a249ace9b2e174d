"""PyTorch Geometric's `GCNConv` on `torch_sparse.SparseTensor`, the extension's own sparse matrix."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.protocol import UnsupportedByBackend
from gnnbench.reference.pyg import GcnConvLayer, require_pyg, require_sparsetensor_convention


class PygSparseTensorBackend:
    """adj_t in the format that PyG's `ToSparseTensor` makes where torch_sparse is installed.

    Read in the sources of PyG 2.8 and torch_sparse; where the extension is installed, the suite says whether it
    holds. Duplicate edges stay apart in a SparseTensor and add up in its products.
    """

    name = "pyg_sparsetensor"
    tier = "standard"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> GcnConvLayer:
        """Sort the edges by target.

        Raises:
            UnsupportedByBackend: where this path's self-loops differ, the matrix has no entries, or torch_sparse is
                not installed.
        """
        require_pyg("torch_geometric.nn")
        torch_sparse = require_torch_sparse()
        require_sparsetensor_convention(graph, self_loops)
        require_entries(graph, self_loops)
        placed = graph.to(device)
        # Row i of adj_t holds the in-edges of i. Without values gcn_norm fills in ones of the dtype of x.
        adj_t = torch_sparse.SparseTensor(
            row=placed.target,
            col=placed.source,
            value=placed.weights(dtype) if placed.is_weighted else None,
            sparse_sizes=(graph.num_nodes, graph.num_nodes),
        )
        return GcnConvLayer(adj_t, None, self_loops=self_loops)


def require_entries(graph: Graph, self_loops: SelfLoops) -> None:
    """Raise `UnsupportedByBackend` for a matrix without entries: torch_sparse leaves its gradients undefined.

    Seen with torch_sparse 0.6.18: `.grad` stays None where it must be 0.
    """
    if graph.num_edges == 0 and (self_loops == "none" or graph.num_nodes == 0):
        raise UnsupportedByBackend("torch_sparse has no gradient through a matrix without entries")


def require_torch_sparse() -> Any:
    """The extension; raises `UnsupportedByBackend` where it is not installed.

    Where it is installed and won't load, PyG only warns and takes other paths: here the error passes.
    """
    try:
        return importlib.import_module("torch_sparse")
    except ModuleNotFoundError as error:
        if error.name != "torch_sparse":
            raise
        raise UnsupportedByBackend(
            "torch_sparse is not installed: PyG has no SparseTensor without it, and does not need it any more"
        ) from error
