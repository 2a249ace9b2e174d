"""The GraphSAGE layer with the mean as one dense matrix product: the plainest reading of the formula."""

from __future__ import annotations

import torch

from gnnbench.graphs import Graph
from gnnbench.reference.protocol import UnsupportedByBackend
from gnnbench.reference.sage.mean import mean_coo, mean_layer
from gnnbench.reference.sage.protocol import SageLayer

#: Largest matrix that is written out, in bytes: 20,000 nodes in float32.
_MAX_BYTES = 1_600_000_000


class DenseSage:
    """D^-1 A as an `[N, N]` dense matrix."""

    name = "dense"

    def bind(self, graph: Graph, *, device: torch.device, dtype: torch.dtype) -> SageLayer:
        """Write the matrix out; raises `UnsupportedByBackend` for graphs whose matrix would not fit."""
        num_bytes = graph.num_nodes**2 * dtype.itemsize
        if num_bytes > _MAX_BYTES:
            raise UnsupportedByBackend(
                f"dense: the matrix of means of {graph.num_nodes:,} nodes takes {num_bytes / 1e9:.1f} GB in "
                f"{dtype}; the dense GraphSAGE stops at {_MAX_BYTES / 1e9:.1f} GB"
            )
        return mean_layer(mean_coo(graph, device=device, dtype=dtype).to_dense().matmul)
