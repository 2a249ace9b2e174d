"""Tier 2: what is declared to be float32 is float32, neither TF32 nor any 16-bit format."""

from __future__ import annotations

from functools import cache
from typing import Literal

import pytest
import torch

from gnnbench.checks import Evidence, check
from gnnbench.numerics import (
    TRIPWIRES,
    Quantity,
    compare_precision,
    evaluate,
    real_inputs,
    tripwire_graph,
    tripwire_inputs,
)
from gnnbench.reference import Backend

from .cases import Case, bind, judge, make_case

FIX = (
    "Look for torch.backends.cuda.matmul.allow_tf32, torch.set_float32_matmul_precision, "
    "NVIDIA_TF32_OVERRIDE and an enclosing autocast."
)

#: Wide enough that libraries would take tensor cores if they were let.
FEATURES, CHANNELS = 64, 64


@cache
def gaussian_case() -> Case:
    graph = tripwire_graph()
    return make_case(graph, real_inputs(graph.num_nodes, FEATURES, CHANNELS, bias=False), exact=False)


@cache
def tripwire_case(operand: Literal["x", "upstream"]) -> Case:
    return make_case(tripwire_graph(), tripwire_inputs(TRIPWIRES[0], operand), exact=True)


@check(catches=("F08", "F46"), fix=FIX)
def test_declared(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """The relative error of forward, dX and dW is that of float32."""
    case = gaussian_case()
    layer = bind(backend, case.graph, device)
    found = evaluate(layer, case.inputs.to(device))
    products: tuple[Quantity, ...] = ("forward", "dX", "dW")
    comparisons = [
        compare_precision(name, getattr(found, name), case.oracle, "fp32", device=device) for name in products
    ]
    judge(evidence, backend, comparisons)


@check(catches=("F46",), fix=FIX)
@pytest.mark.parametrize(
    ("operand", "quantities"),
    [
        pytest.param("x", ("forward", "dW"), id="x"),
        pytest.param("upstream", ("dX",), id="upstream"),
    ],
)
def test_tripwire(
    backend: Backend,
    operand: Literal["x", "upstream"],
    quantities: tuple[Quantity, ...],
    device: torch.device,
    evidence: Evidence,
) -> None:
    """Operands of whole numbers + 2^-12 pass through the dense products without losing a bit."""
    case = tripwire_case(operand)
    layer = bind(backend, case.graph, device)
    found = evaluate(layer, case.inputs.to(device))
    judge(evidence, backend, case.compare(found, device, quantities))
