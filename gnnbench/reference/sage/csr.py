"""The GraphSAGE layer through `torch.sparse` in compressed sparse row format."""

from __future__ import annotations

import torch

from gnnbench.graphs import Graph
from gnnbench.reference.csr import csr_aggregate
from gnnbench.reference.sage.mean import mean_coo, mean_layer
from gnnbench.reference.sage.protocol import SageLayer


class CsrSage:
    """D^-1 A as a CSR tensor, and its transpose for the backward pass."""

    name = "csr"

    def bind(self, graph: Graph, *, device: torch.device, dtype: torch.dtype) -> SageLayer:
        """Sort and merge the edges both ways; raises `UnsupportedByBackend` where no product is there."""
        matrix = mean_coo(graph, device=device, dtype=dtype)
        return mean_layer(csr_aggregate(matrix, backend=f"GraphSAGE {self.name}"))
