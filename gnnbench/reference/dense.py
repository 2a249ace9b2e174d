"""The layer as one dense matrix product: the plainest reading of the formula."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.layer import AggregatingLayer, WeightedAggregatingLayer
from gnnbench.reference.propagation import EdgeNormalisation, normalised_edges
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
        _require_fitting(graph, dtype)
        target, source, value = normalised_edges(
            graph, device=device, dtype=torch.float64, self_loops=self_loops
        )
        matrix = _written_out(target, source, value, graph.num_nodes).to(dtype)
        # Not matrix.matmul: Dynamo can't trace a bound method of C, and would compile around it.
        return AggregatingLayer(lambda h: matrix @ h, device=device, dtype=dtype)

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedAggregatingLayer:
        """As `bind`; Â is written out in each call, and its gradient is `[N, N]` too."""
        _require_fitting(graph, dtype)
        normalise = EdgeNormalisation(graph, device=device, self_loops=self_loops)

        def aggregate(value: Tensor, h: Tensor) -> Tensor:
            matrix = _written_out(normalise.target, normalise.source, value, graph.num_nodes)
            return matrix.to(dtype) @ h

        return WeightedAggregatingLayer(normalise, aggregate, device=device, dtype=dtype)


def _require_fitting(graph: Graph, dtype: torch.dtype) -> None:
    num_bytes = graph.num_nodes**2 * dtype.itemsize
    if num_bytes > _MAX_BYTES:
        raise UnsupportedByBackend(
            f"dense: the propagation matrix of {graph.num_nodes:,} nodes takes "
            f"{num_bytes / 1e9:.1f} GB in {dtype}; the dense backend stops at {_MAX_BYTES / 1e9:.1f} GB"
        )


def _written_out(target: Tensor, source: Tensor, value: Tensor, num_nodes: int) -> Tensor:
    """Â in float64: index_put with accumulate in a 16-bit dtype would round after each duplicate."""
    return value.new_zeros(num_nodes, num_nodes).index_put_((target, source), value, accumulate=True)
