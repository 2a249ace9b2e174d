"""The GAT layer with attention as a dense `[N, N]` matrix for each head: the plainest reading."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gnnbench.graphs import Graph
from gnnbench.reference.gat.heads import attended_edges, join, transform
from gnnbench.reference.gat.protocol import NEGATIVE_SLOPE, GatLayer
from gnnbench.reference.protocol import UnsupportedByBackend

#: Most nodes whose attention is written out: several `[H, N, N]` are held at once, for the backward pass too.
_MAX_NODES = 4096


class DenseGat:
    """Scores of all pairs, of which those without an edge are masked."""

    name = "dense"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, concat: bool = True
    ) -> GatLayer:
        """Count the edges of each pair; raises `UnsupportedByBackend` for graphs with too many pairs."""
        if graph.num_nodes > _MAX_NODES:
            raise UnsupportedByBackend(
                f"dense: the attention of {graph.num_nodes:,} nodes has {graph.num_nodes**2:,} entries a "
                f"head; the dense GAT stops at {_MAX_NODES:,} nodes"
            )
        source, target = attended_edges(graph, device)
        count = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64, device=device)
        count.index_put_((target, source), count.new_ones(len(source)), accumulate=True)
        count = count.to(dtype)
        absent = count == 0

        def layer(x: Tensor, weight: Tensor, att_src: Tensor, att_dst: Tensor, bias: Tensor | None) -> Tensor:
            h, from_source, from_target = transform(x, weight, att_src, att_dst)
            # [H, N, N], row i the scores of what node i attends to.
            scores = from_target.t().unsqueeze(2) + from_source.t().unsqueeze(1)
            scores = functional.leaky_relu(scores, NEGATIVE_SLOPE).masked_fill(absent, -torch.inf)
            highest = scores.detach().amax(dim=2, keepdim=True)
            share = (scores - highest).exp() * count
            share = share / share.sum(dim=2, keepdim=True)
            return join((share @ h.transpose(0, 1)).transpose(0, 1), bias, concat=concat)

        return layer
