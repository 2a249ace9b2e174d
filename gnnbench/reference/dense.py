"""The layer as one dense matrix product: the plainest reading of the formula."""

from __future__ import annotations

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.layer import AggregatingLayer
from gnnbench.reference.propagation import normalised_edges
from gnnbench.reference.protocol import UnsupportedByBackend

#: Largest Â that is written out, in bytes: 20,000 nodes in float32.
_MAX_BYTES = 1_600_000_000


class DenseBackend:
    """Â as an `[N, N]` dense matrix, multiplied by cuBLAS, MKL or what else `torch.matmul` stands on."""

    name = "dense"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> AggregatingLayer:
        """Write Â out; raises `UnsupportedByBackend` for graphs whose Â would not fit."""
        num_bytes = graph.num_nodes**2 * dtype.itemsize
        if num_bytes > _MAX_BYTES:
            raise UnsupportedByBackend(
                f"dense: the propagation matrix of {graph.num_nodes:,} nodes takes "
                f"{num_bytes / 1e9:.1f} GB in {dtype}; the dense backend stops at {_MAX_BYTES / 1e9:.1f} GB"
            )
        # Duplicates are added in float64: index_put with accumulate in a 16-bit dtype would round after each.
        target, source, value = normalised_edges(
            graph, device=device, dtype=torch.float64, self_loops=self_loops
        )
        matrix = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64, device=device)
        matrix.index_put_((target, source), value, accumulate=True)
        matrix = matrix.to(dtype)
        return AggregatingLayer(matrix.matmul, device=device, dtype=dtype)
