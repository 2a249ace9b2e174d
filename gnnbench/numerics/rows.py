"""What some rows of a layer's result must be, for graphs too large to compute the whole in float64."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gnnbench.graphs import Graph
from gnnbench.numerics.bounds import FP32, INVERSE_ROOT_ROUNDINGS, growth
from gnnbench.numerics.comparison import Comparison, entrywise
from gnnbench.numerics.host import judging
from gnnbench.numerics.layer import Quantity, entry_name

#: Rows that are looked at besides the largest hub. One wrong row in ten escapes them once in a thousand runs.
_ROWS = 64


def sample_rows(graph: Graph, seed: int = 0, besides: Tensor | None = None) -> Tensor:
    """Some nodes at random, the one with most in-edges, and `besides`; int64 on the host, sorted, without
    repeats."""
    generator = torch.Generator().manual_seed(seed)
    some = torch.randint(graph.num_nodes, (_ROWS,), generator=generator)
    if graph.num_edges:
        some = torch.cat([some, graph.in_degree(torch.float64).argmax().cpu()[None]])
    if besides is not None:
        some = torch.cat([some, besides.cpu()])
    nodes: Tensor = torch.unique(some)
    return nodes


def rows_of_layer(
    graph: Graph,
    rows: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    transposed: bool = False,
) -> tuple[Tensor, Tensor]:
    """Rows of `Â X W + b` of an unweighted graph in float64, and their componentwise bound, `[R, C]` each.

    With `transposed` Âᵀ stands for Â: with the gradient from above as x and Wᵀ as weight these are the rows of
    dX. The bound is that of `gnnbench.numerics.gcn_bound` for dense x, M = |Â|(|X||W|) + |b| and
    ε = (2c + 2)u + g(F + n + 1)u with n entries in a row of Â or Âᵀ, which has the same form for both.

    Args:
        graph: on any device; self-loops are added.
        rows: int64 on the host, sorted, without repeats.
        x: `[N, F]`, of which only the rows that are needed are copied to the host.
        weight: `[F, C]`.
        bias: `[C]` or None.
        transposed: whether the rows are those of Âᵀ.

    Raises:
        ValueError: for a weighted graph, whose degrees would round.
    """
    if graph.is_weighted:
        raise ValueError("graph: expected one without weights, found edge_weight")
    degree = graph.in_degree(torch.float64).cpu() + 1  # the loop; counts are exact
    ends, starts = (graph.source, graph.target) if transposed else (graph.target, graph.source)
    asked = torch.zeros(graph.num_nodes, dtype=torch.bool, device=graph.device)
    asked[rows.to(graph.device)] = True
    entering = asked[ends]  # torch.isin compares each edge with each row: 3 GB for 2^25 edges
    start = torch.cat([starts[entering].cpu(), rows])
    # Positions in `rows`, which is sorted.
    row = torch.searchsorted(rows, torch.cat([ends[entering].cpu(), rows]))
    value = (degree[rows][row] * degree[start]).rsqrt()[:, None]
    needed, place = torch.unique(start, return_inverse=True)
    inputs = x[needed.to(x.device)].detach().cpu().double()
    w = weight.detach().cpu().double()
    b = torch.zeros(w.shape[1], dtype=torch.float64) if bias is None else bias.detach().cpu().double()

    def aggregate(h: Tensor) -> Tensor:
        return torch.zeros(len(rows), h.shape[1], dtype=torch.float64).index_add_(0, row, value * h[place])

    expected = aggregate(inputs @ w) + b
    magnitude = aggregate(inputs.abs() @ w.abs()) + b.abs()
    # Duplicates are equal terms, and round alike: see `bounds.growth`.
    pair, times = torch.unique(row * graph.num_nodes + start, return_counts=True)
    alike = torch.zeros(len(rows), dtype=torch.float64)
    alike.index_add_(0, pair.div(max(graph.num_nodes, 1), rounding_mode="floor"), times.double().square())
    others = x.shape[1] + 1
    roundings = (torch.bincount(row, minlength=len(rows)) + others).double()
    error = (2 * INVERSE_ROOT_ROUNDINGS + 2) * FP32.u + growth(roundings, alike + others) * FP32.u_acc
    return expected, (error / (1 - error))[:, None] * magnitude


@judging
def compare_rows(name: Quantity, got: Tensor, rows: Tensor, expected: Tensor, bound: Tensor) -> Comparison:
    """Those rows of the whole result `got` against what they must be, each entry within its bound.

    A bound of 0 asks for equality; NaN and infinity are beyond any. The entry is named by its node.
    """
    found = entrywise(name, "componentwise", got[rows.to(got.device)], expected, bound, lambda *_: "")
    if found.index:
        node = int(rows[found.index[0]])
        found = replace(
            found, where=entry_name(name, (node, *found.index[1:])), index=(node, *found.index[1:])
        )
    return found
