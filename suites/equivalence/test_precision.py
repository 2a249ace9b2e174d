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
from gnnbench.reference import Backend, compiles

from .cases import Case, bind, judge, make_case

FIX = (
    "Look for torch.backends.cuda.matmul.allow_tf32, torch.set_float32_matmul_precision, "
    "NVIDIA_TF32_OVERRIDE and an enclosing autocast."
)

#: What comes of a dense product.
PRODUCTS: tuple[Quantity, ...] = ("forward", "dX", "dW")

#: The operand that is not whole in the tripwire → what comes of products that it goes into.
TOLD: dict[Literal["x", "upstream"], tuple[Quantity, ...]] = {"x": ("forward", "dW"), "upstream": ("dX",)}

#: Wide enough that libraries would take tensor cores if they were let.
FEATURES, CHANNELS = 64, 64


#: So wide that libraries take other kernels than for the above: inner products of 512 terms, forward and backward. The
#: relative error of each class of precisions is what it is at 64 (2.4e-7 for 1.5e-7, 3.0e-4 for 2.8e-4 in TF32).
WIDE = 512


@cache
def gaussian_case(features: int = FEATURES, channels: int = CHANNELS) -> Case:
    graph = tripwire_graph()
    return make_case(graph, real_inputs(graph.num_nodes, features, channels, bias=False), exact=False)


@cache
def tripwire_case(operand: Literal["x", "upstream"], features: int = FEATURES) -> Case:
    return make_case(tripwire_graph(), tripwire_inputs(TRIPWIRES[0], operand, features), exact=True)


@check(catches=("F08", "F46"), fix=FIX)
def test_declared(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """The relative error of forward, dX and dW is that of float32."""
    case = gaussian_case()
    layer = bind(backend, case.graph, device)
    found = evaluate(layer, case.inputs.to(device))
    comparisons = [
        compare_precision(name, getattr(found, name), case.oracle, "fp32", device=device) for name in PRODUCTS
    ]
    judge(evidence, backend, comparisons)


@check(catches=("F46",), fix=FIX)
@pytest.mark.parametrize(
    ("operand", "quantities"), [pytest.param(*told, id=told[0]) for told in TOLD.items()]
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


@check(
    tier="standard",
    catches=("F46",),
    fix=FIX
    + " Where `precision/declared` is right and this is not, products of large inner dimension alone take "
    "another kernel: split accumulations, or a heuristic that prefers tensor cores.",
)
def test_wide(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """At 512 features and channels too float32 is float32, in a training and under no_grad."""
    case = gaussian_case(WIDE, WIDE)
    inputs = case.inputs.to(device)
    layer = bind(backend, case.graph, device)
    found = evaluate(layer, inputs)
    comparisons = [
        compare_precision(name, getattr(found, name), case.oracle, "fp32", device=device) for name in PRODUCTS
    ]
    # A compiled layer is compiled anew for it, in seconds.
    if not compiles(backend):
        with torch.no_grad():
            out = layer(inputs.x, inputs.weight, inputs.bias)
        comparisons.append(compare_precision("forward", out, case.oracle, "fp32", device=device))
    for operand, quantities in TOLD.items():
        exact = tripwire_case(operand, WIDE)
        comparisons += exact.compare(evaluate(layer, exact.inputs.to(device)), device, quantities)
    judge(evidence, backend, comparisons)
