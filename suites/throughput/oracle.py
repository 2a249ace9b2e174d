"""What some rows of a layer's result must be, for graphs too large to compute the whole in float64."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gnnbench.checks import Evidence, fail
from gnnbench.graphs import Graph
from gnnbench.numerics import FP32, growth
from gnnbench.numerics.bounds import INVERSE_ROOT_ROUNDINGS

#: Rows that are looked at besides the largest hub. One wrong row in ten escapes them once in a thousand runs.
_ROWS = 64


def sample_rows(graph: Graph, seed: int = 0) -> Tensor:
    """Some nodes at random, and the one with most in-edges; int64 on the host, without repeats."""
    generator = torch.Generator().manual_seed(seed)
    some = torch.randint(graph.num_nodes, (_ROWS,), generator=generator)
    if graph.num_edges:
        some = torch.cat([some, graph.in_degree(torch.float64).argmax().cpu()[None]])
    nodes: Tensor = torch.unique(some)
    return nodes


def rows_of_layer(
    graph: Graph, rows: Tensor, x: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Rows of `Â X W + b` of an unweighted graph in float64, and their componentwise bound, `[R, C]` each.

    The bound is that of `gnnbench.numerics.gcn_bound` for dense x: M = |Â|(|X||W|) + |b| and
    ε = (2c + 2)u + g(F + n + 1)u with n entries in a row of Â.
    """
    degree = graph.in_degree(torch.float64).cpu() + 1  # the loop; counts are exact
    entering = torch.isin(graph.target, rows.to(graph.device))
    source = torch.cat([graph.source[entering].cpu(), rows])
    # Positions in `rows`, which is sorted.
    row = torch.searchsorted(rows, torch.cat([graph.target[entering].cpu(), rows]))
    value = (degree[rows][row] * degree[source]).rsqrt()[:, None]
    needed, place = torch.unique(source, return_inverse=True)
    inputs = x[needed.to(x.device)].detach().cpu().double()
    w, b = weight.detach().cpu().double(), bias.detach().cpu().double()

    def aggregate(h: Tensor) -> Tensor:
        return torch.zeros(len(rows), h.shape[1], dtype=torch.float64).index_add_(0, row, value * h[place])

    expected = aggregate(inputs @ w) + b
    magnitude = aggregate(inputs.abs() @ w.abs()) + b.abs()
    roundings = x.shape[1] + torch.bincount(row, minlength=len(rows)) + 1
    error = (2 * INVERSE_ROOT_ROUNDINGS + 2) * FP32.u + growth(roundings.double()) * FP32.u_acc
    return expected, (error / (1 - error))[:, None] * magnitude


def require_rows(
    name: str, out: Tensor, graph: Graph, inputs: tuple[Tensor, Tensor, Tensor], evidence: Evidence
) -> None:
    """Fail unless `out` is where and what the layer's result must be, on a sample of its rows."""
    x, weight, bias = inputs
    if out.device != x.device or out.shape != (graph.num_nodes, weight.shape[1]):
        fail(
            f"{name}: the result is not what was asked for",
            expected=f"shape {[graph.num_nodes, weight.shape[1]]} on {x.device}",
            found=f"shape {list(out.shape)} on {out.device}",
            cause="a silent detour to another device" if out.device != x.device else "",
        )
    if not bool(torch.isfinite(out).all()):
        fail(f"{name}: the result holds numbers that are not finite", expected="finite numbers only")
    rows = sample_rows(graph)
    expected, bound = rows_of_layer(graph, rows, x, weight, bias)
    got = out.detach()[rows.to(out.device)].cpu().double()
    error = (got - expected).abs()
    worst = int((error / bound).argmax())
    node, channel = int(rows[worst // error.shape[1]]), worst % error.shape[1]
    margin = evidence.margin(
        name,
        error=float(error.flatten()[worst]),
        bound=float(bound.flatten()[worst]),
        rule=f"componentwise, {len(rows)} rows",
        where=f"node {node}, channel {channel}",
    )
    if not margin.passed:
        ratio = margin.ratio if math.isfinite(margin.ratio) else math.inf
        fail(
            f"{name}: what was timed did not do its work",
            expected=f"{float(expected.flatten()[worst]):.9g} at {margin.where}",
            found=f"{float(got.flatten()[worst]):.9g} ({ratio:.2g} times the bound)",
            cause="a backend that skips work, keeps an old result, or computes something else",
            fix="run the equivalence suite for this backend",
        )
