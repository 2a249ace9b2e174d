"""What was timed did its work: some rows of the result, for graphs too large to compute the whole in float64."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gnnbench.checks import Evidence, fail
from gnnbench.graphs import Graph
from gnnbench.numerics import rows_of_layer, sample_rows


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
