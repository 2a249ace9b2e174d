"""The layer through `torch.sparse` in coordinate format, forward and backward as PyTorch has them."""

from __future__ import annotations

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.layer import AggregatingLayer
from gnnbench.reference.product import require_product
from gnnbench.reference.propagation import propagation_coo


class CooBackend:
    """Â as a coalesced COO tensor; the backward pass is PyTorch's own."""

    name = "coo"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> AggregatingLayer:
        """Sort and merge the edges; raises `UnsupportedByBackend` where PyTorch has no such product here."""
        matrix = propagation_coo(graph, device=device, dtype=dtype, self_loops=self_loops)
        require_product(matrix, backend=self.name)
        return AggregatingLayer(matrix.matmul, device=device, dtype=dtype)
