"""Tier 1: real numbers on every kind of graph, within what rounding in float32 explains, entry by entry."""

from __future__ import annotations

import torch

from gnnbench.checks import Evidence, check
from gnnbench.graphs import ProbeGraph, probe_graphs
from gnnbench.numerics import evaluate
from gnnbench.reference import Backend

from .cases import bind, bounded_case, each, judge


@check(
    catches=(
        "F01",
        "F05",
        "F06",
        "F07",
        "F08",
        "F14",
        "F15",
        "F16",
        "F17",
        "F18",
        "F19",
        "F20",
        "F22",
        "F23",
        "F46",
    ),
    fix="No order of summation in float32 gives this. If the exact checks pass, see whether TF32 or autocast "
    "is on; else run this check alone, and the same graph on the backend 'dense'.",
)
@each(probe_graphs())
def test_layer(backend: Backend, probe: ProbeGraph, device: torch.device, evidence: Evidence) -> None:
    """Forward, dX, dW and db are within the componentwise error bound of the float64 oracle."""
    case = bounded_case(probe.name)
    layer = bind(backend, case.graph, device)
    judge(evidence, backend, case.compare(evaluate(layer, case.inputs.to(device)), device))
