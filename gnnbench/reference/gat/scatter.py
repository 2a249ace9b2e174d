"""The GAT layer as gather and scatter: a score for each edge, and a softmax over the edges of each target."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gnnbench.graphs import Graph
from gnnbench.reference.gat.heads import attended_edges, join, transform
from gnnbench.reference.gat.protocol import NEGATIVE_SLOPE, GatLayer


class ScatterGat:
    """`scatter_reduce` for the maximum, `index_add` for both sums; edges unsorted, duplicates apart."""

    name = "scatter"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, concat: bool = True
    ) -> GatLayer:
        """List what each node attends to."""
        source, target = attended_edges(graph, device)

        def layer(x: Tensor, weight: Tensor, att_src: Tensor, att_dst: Tensor, bias: Tensor | None) -> Tensor:
            h, from_source, from_target = transform(x, weight, att_src, att_dst)
            scores = from_source.index_select(0, source) + from_target.index_select(0, target)
            scores = functional.leaky_relu(scores, NEGATIVE_SLOPE)
            share = (scores - highest(scores.detach(), target, graph.num_nodes).index_select(0, target)).exp()
            total = torch.zeros_like(from_source).index_add(0, target, share)
            share = share / total.index_select(0, target)
            messages = h.index_select(0, source) * share.unsqueeze(2)
            return join(torch.zeros_like(h).index_add(0, target, messages), bias, concat=concat)

        return layer


def highest(scores: Tensor, target: Tensor, num_nodes: int) -> Tensor:
    """`[N, H]`: the highest of the scores `[E', H]` of each target, of which every node has at least one."""
    start = scores.new_full((num_nodes, scores.shape[1]), -torch.inf)
    return start.scatter_reduce(0, target.unsqueeze(1).expand_as(scores), scores, "amax")
