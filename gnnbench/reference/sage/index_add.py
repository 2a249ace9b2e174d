"""The GraphSAGE layer as gather and scatter: add up what the in-edges bring, divide by their number."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.graphs import Graph
from gnnbench.reference.sage.mean import in_edge_counts, mean_layer
from gnnbench.reference.sage.protocol import SageLayer


class IndexAddSage:
    """`index_select`, `index_add`, a division: edges unsorted, duplicates apart."""

    name = "index_add"

    def bind(self, graph: Graph, *, device: torch.device, dtype: torch.dtype) -> SageLayer:
        """Count the in-edges."""
        placed = graph.to(device)
        source, target = placed.source, placed.target
        counts = in_edge_counts(placed, dtype=dtype).unsqueeze(1)

        def mean(h: Tensor) -> Tensor:
            total = h.new_zeros(graph.num_nodes, h.shape[1]).index_add(0, target, h.index_select(0, source))
            return total / counts

        return mean_layer(mean)
