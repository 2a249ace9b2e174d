"""The GAT layer as fused kernels have it: scores from x itself, one pass, and the division at the end."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gnnbench.graphs import Graph
from gnnbench.reference.gat.heads import attended_edges, join
from gnnbench.reference.gat.protocol import NEGATIVE_SLOPE, GatLayer
from gnnbench.reference.gat.scatter import highest


class DeferredGat:
    """`x (W a)` instead of `(x W) a`, and `Σ p h / Σ p` instead of `Σ (p / Σ p) h`.

    Edges are sorted by target, and sums taken over segments of them.
    """

    name = "deferred"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, concat: bool = True
    ) -> GatLayer:
        """Sort what each node attends to."""
        source, target = attended_edges(graph, device)
        order = target.argsort(stable=True)
        source, target = source[order], target[order]

        def layer(x: Tensor, weight: Tensor, att_src: Tensor, att_dst: Tensor, bias: Tensor | None) -> Tensor:
            heads, channels = att_src.shape
            by_head = weight.view(weight.shape[0], heads, channels)
            h = (x @ weight).view(x.shape[0], heads, channels)
            from_source = x @ (by_head * att_src).sum(dim=2)
            from_target = x @ (by_head * att_dst).sum(dim=2)
            scores = functional.leaky_relu(from_source[source] + from_target[target], NEGATIVE_SLOPE)
            share = (scores - highest(scores.detach(), target, graph.num_nodes)[target]).exp().unsqueeze(2)
            # One more channel of ones, whose sum is the denominator.
            messages = torch.cat([h[source] * share, share], dim=2)
            summed = messages.new_zeros(graph.num_nodes, heads, channels + 1).index_add(0, target, messages)
            return join(summed[:, :, :-1] / summed[:, :, -1:], bias, concat=concat)

        return layer
