"""Tier 0: on probes where nothing can round, every bit is that of the float64 oracle."""

from __future__ import annotations

import pytest
import torch

from gnnbench.checks import Evidence, check
from gnnbench.graphs import ProbeGraph, SelfLoops, exact_probe_graphs
from gnnbench.numerics import GRADIENTS, LayerResult, evaluate
from gnnbench.reference import Backend

from .cases import bind, each, exact_case, judge

FIX = (
    "Nothing rounds on this probe, so this is no question of precision: an edge, a weight, a loop or a "
    "degree is wrong. Run this check alone, and the same graph on the backend 'dense'."
)


@check(catches=("F01", "F05", "F06", "F07", "F14", "F15", "F17", "F18", "F19", "F20", "F22", "F41"), fix=FIX)
@each(exact_probe_graphs())
def test_forward(backend: Backend, probe: ProbeGraph, device: torch.device, evidence: Evidence) -> None:
    """Every entry of the forward pass, as inference runs it, equals the float64 oracle bit for bit."""
    case = exact_case(probe.name)
    layer = bind(backend, case.graph, device)
    inputs = case.inputs.to(device)
    with torch.no_grad():
        out = layer(inputs.x, inputs.weight, inputs.bias)
    judge(evidence, backend, case.compare(LayerResult(forward=out), device, ["forward"]))


@check(catches=("F01", "F07", "F08", "F14", "F15", "F17", "F18", "F19", "F20", "F22", "F23"), fix=FIX)
@each(exact_probe_graphs())
def test_gradients(backend: Backend, probe: ProbeGraph, device: torch.device, evidence: Evidence) -> None:
    """Every entry of dX, dW and db equals the float64 oracle bit for bit."""
    case = exact_case(probe.name)
    layer = bind(backend, case.graph, device)
    found = evaluate(layer, case.inputs.to(device))
    judge(evidence, backend, case.compare(found, device, GRADIENTS))


@check(catches=("F17", "F18"), fix=FIX)
@pytest.mark.parametrize("self_loops", ["add_remaining", "none"])
@pytest.mark.parametrize("probe", ["exact_plain", "exact_mixed"])
def test_self_loops(
    backend: Backend, probe: str, self_loops: SelfLoops, device: torch.device, evidence: Evidence
) -> None:
    """Other conventions of self-loops than A + I, where the backend has them, are exact too."""
    case = exact_case(probe, self_loops)
    layer = bind(backend, case.graph, device, self_loops)
    judge(evidence, backend, case.compare(evaluate(layer, case.inputs.to(device)), device))
