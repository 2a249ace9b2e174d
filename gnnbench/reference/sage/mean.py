"""The mean over in-edges: how many there are, and as the matrix D^-1 A."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gnnbench.graphs import Graph
from gnnbench.reference.sage.protocol import SageLayer


def in_edge_counts(graph: Graph, *, dtype: torch.dtype) -> Tensor:
    """`[N]`: how many edges enter each node, duplicates and own loops counted; 1 where there are none.

    Counted as integers: a sum of ones in a 16-bit format stops at 256 (bfloat16) or 2048 (float16). The 1 is
    what a sum of nothing may be divided by.
    """
    return torch.bincount(graph.target, minlength=graph.num_nodes).clamp_min(1).to(dtype)


def mean_coo(graph: Graph, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """D^-1 A `[N, N]` as a coalesced COO tensor, entries (number of edges j -> i) / (in-edges of i).

    The division is done in float64, so that each entry is rounded once to `dtype`.
    """
    placed = graph.to(device)
    counts = in_edge_counts(placed, dtype=torch.float64)
    shape = (graph.num_nodes, graph.num_nodes)
    ones = torch.ones(graph.num_edges, dtype=torch.float64, device=device)
    matrix = torch.sparse_coo_tensor(
        torch.stack([placed.target, placed.source]), ones, shape, check_invariants=False
    ).coalesce()
    values = matrix.values() / counts[matrix.indices()[0]]
    return torch.sparse_coo_tensor(
        matrix.indices(), values.to(dtype), shape, is_coalesced=True, check_invariants=False
    )


def mean_layer(mean: Callable[[Tensor], Tensor]) -> SageLayer:
    """The layer from `mean(h)`, taken in the cheaper order: of x where it is narrower than the result, else
    of x W_l."""

    def layer(x: Tensor, weight_l: Tensor, weight_r: Tensor, bias: Tensor | None) -> Tensor:
        heard = mean(x) @ weight_l if x.shape[1] < weight_l.shape[1] else mean(x @ weight_l)
        out = heard + x @ weight_r
        return out if bias is None else out + bias

    return layer
