"""Tier 2: what is declared to be float32 is float32, neither TF32 nor any 16-bit format."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Literal

import pytest
import torch

from gnnbench.checks import Evidence, check
from gnnbench.graphs import Graph
from gnnbench.numerics import (
    TRIPWIRES,
    Quantity,
    compare_precision,
    evaluate,
    exact_inputs,
    rademacher,
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

#: Past the blocks in which sums over nodes are taken, and no multiple of them.
_ROWS = 4_099


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


@cache
def many_rows_case() -> Case:
    """Nodes alone, whose features are ±1 and whose gradients ±(1 + 2^-11): all sums are exact, in float32 alone."""
    count, features, channels = _ROWS, 6, 5
    generator = torch.Generator().manual_seed(0)
    whole = exact_inputs(count, features, channels)
    inputs = replace(
        whole,
        x=rademacher(count, features, generator),
        upstream=rademacher(count, channels, generator) * (1 + 2.0**-11),
    )
    return make_case(Graph(torch.empty(2, 0, dtype=torch.int64), count), inputs, exact=True)


@check(
    tier="standard",
    catches=("F14", "F46"),
    fix="Sums over all nodes are taken in blocks, and those are kept in fewer bits: look at the reduction of db, and at "
    "how the product that gives dW is split.",
)
def test_many_rows(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Sums over thousands of nodes, as db and dW take, lose no bit of numbers that no 16-bit format holds."""
    case = many_rows_case()
    layer = bind(backend, case.graph, device)
    judge(evidence, backend, case.compare(evaluate(layer, case.inputs.to(device)), device))
