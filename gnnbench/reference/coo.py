"""The layer through `torch.sparse` in coordinate format, forward and backward as PyTorch has them."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.layer import AggregatingLayer, WeightedAggregatingLayer
from gnnbench.reference.product import require_product
from gnnbench.reference.propagation import EdgeNormalisation, propagation_coo


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

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedAggregatingLayer:
        """Sort and merge the edges in each call, as a user's program with learnt weights does.

        PyTorch's backward pass makes a dense `[N, N]` gradient on the way (pytorch#41128).
        """
        normalise = EdgeNormalisation(graph, device=device, self_loops=self_loops)
        indices = torch.stack([normalise.target, normalise.source])
        size = (graph.num_nodes, graph.num_nodes)
        require_product(
            propagation_coo(graph, device=device, dtype=dtype, self_loops=self_loops), backend=self.name
        )

        def aggregate(value: Tensor, h: Tensor) -> Tensor:
            matrix = torch.sparse_coo_tensor(indices, value, size, check_invariants=False)
            out: Tensor = torch.sparse.mm(matrix.coalesce().to(dtype), h)
            return out

        return WeightedAggregatingLayer(normalise, aggregate, device=device, dtype=dtype)
