"""What comes before attention and after it: the features of each head, their scores, and joining heads."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.graphs import Graph


def attended_edges(graph: Graph, device: torch.device) -> tuple[Tensor, Tensor]:
    """`(source, target)` int64 `[E']` of what each node attends to: its in-edges but for own loops, then
    itself, once."""
    placed = graph.to(device)
    others = placed.source != placed.target
    nodes = torch.arange(graph.num_nodes, device=device)
    return torch.cat([placed.source[others], nodes]), torch.cat([placed.target[others], nodes])


def transform(x: Tensor, weight: Tensor, att_src: Tensor, att_dst: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """h `[N, H, C]`, and what each node adds to the scores as a source and as a target, both `[N, H]`."""
    h = (x @ weight).view(x.shape[0], *att_src.shape)
    return h, (h * att_src).sum(dim=-1), (h * att_dst).sum(dim=-1)


def join(out: Tensor, bias: Tensor | None, *, concat: bool) -> Tensor:
    """`[N, H, C]` to `[N, H·C]` or, averaged, `[N, C]`; plus the bias."""
    joined = out.flatten(1) if concat else out.mean(dim=1)
    return joined if bias is None else joined + bias
