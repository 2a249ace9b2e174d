"""The layer as gather and scatter: read each edge's source, weigh it, add it to the target."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.layer import AggregatingLayer, WeightedAggregatingLayer
from gnnbench.reference.propagation import EdgeNormalisation, normalised_edges


class IndexAddBackend:
    """`index_select`, a product, `index_add`: edges unsorted, duplicates apart, a temporary of `[E, C]`."""

    name = "index_add"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> AggregatingLayer:
        """Normalise the edges in the order in which they stand."""
        target, source, value = normalised_edges(graph, device=device, dtype=dtype, self_loops=self_loops)
        value = value.unsqueeze(1)
        num_nodes = graph.num_nodes

        def aggregate(h: Tensor) -> Tensor:
            messages = h.index_select(0, source) * value
            return h.new_zeros(num_nodes, h.shape[1]).index_add(0, target, messages)

        return AggregatingLayer(aggregate, device=device, dtype=dtype)

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedAggregatingLayer:
        """Normalise in each call."""
        normalise = EdgeNormalisation(graph, device=device, self_loops=self_loops)

        def aggregate(value: Tensor, h: Tensor) -> Tensor:
            messages = h.index_select(0, normalise.source) * value.to(dtype).unsqueeze(1)
            return h.new_zeros(graph.num_nodes, h.shape[1]).index_add(0, normalise.target, messages)

        return WeightedAggregatingLayer(normalise, aggregate, device=device, dtype=dtype)
