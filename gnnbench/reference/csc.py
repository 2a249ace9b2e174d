"""The layer through `torch.sparse` in compressed sparse column format, where PyTorch supports it."""

from __future__ import annotations

import warnings

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.layer import AggregatingLayer
from gnnbench.reference.product import require_product
from gnnbench.reference.propagation import propagation_coo


class CscBackend:
    """Â as a CSC tensor; the backward pass is PyTorch's own."""

    name = "csc"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> AggregatingLayer:
        """Sort and merge the edges; raises `UnsupportedByBackend` where PyTorch has no such product."""
        matrix = propagation_coo(graph, device=device, dtype=dtype, self_loops=self_loops)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CS[RC] tensor support is in beta state")
            csc = matrix.to_sparse_csc()
            require_product(csc, backend=self.name)
        return AggregatingLayer(csc.matmul, device=device, dtype=dtype)
