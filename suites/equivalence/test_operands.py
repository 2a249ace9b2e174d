"""The layer is the same whatever form its operands come in. Bit for bit, on an exact probe."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, check
from gnnbench.numerics import LayerInputs, Quantity, evaluate
from gnnbench.reference import Backend

from .cases import bind, exact_case, judge

PROBE = "exact_plain"


def column_major(tensor: Tensor) -> Tensor:
    """The same matrix, its columns contiguous."""
    return tensor.t().contiguous().t()


def window(tensor: Tensor) -> Tensor:
    """The same matrix as a window into a larger one: an offset, and rows further apart than they are long."""
    wide = torch.full((tensor.shape[0] + 2, tensor.shape[1] + 5), torch.nan, device=tensor.device)
    view = wide[1:-1, 3:-2]
    return view.copy_(tensor)


@check(catches=("F01",), fix="The backend assumes that a bias is always given.")
def test_no_bias(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Without a bias nothing is added."""
    case = exact_case(PROBE, bias=False)
    layer = bind(backend, case.graph, device)
    judge(evidence, backend, case.compare(evaluate(layer, case.inputs.to(device)), device))


@check(fix="The backend computes (Â X) W where X is narrower than the result, and that order is wrong.")
def test_widening(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """More channels than features: backends that choose the cheaper order aggregate first."""
    case = exact_case(PROBE, widths=(8, 16))
    layer = bind(backend, case.graph, device)
    judge(evidence, backend, case.compare(evaluate(layer, case.inputs.to(device)), device))


@check(
    fix="The backend, or a kernel beneath it, takes its operands to be contiguous: call "
    ".contiguous(), or obey the strides."
)
@pytest.mark.parametrize("layout", [column_major, window], ids=["column_major", "window"])
def test_strides(backend: Backend, layout: object, device: torch.device, evidence: Evidence) -> None:
    """Operands that are not contiguous, as transposes and slices are, give the same result."""
    case = exact_case(PROBE)
    layer = bind(backend, case.graph, device)
    inputs = case.inputs.to(device)
    assert callable(layout)
    strided: LayerInputs = replace(
        inputs, x=layout(inputs.x), weight=layout(inputs.weight), upstream=layout(inputs.upstream)
    )
    judge(evidence, backend, case.compare(evaluate(layer, strided), device))


@check(
    catches=("F08",),
    fix="The backward pass takes for granted which gradients are asked for: look at ctx.needs_input_grad.",
)
def test_partial_gradients(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Whichever operands are frozen, as in fine-tuning, the gradients by the others are the same."""
    case = exact_case(PROBE)
    layer = bind(backend, case.graph, device)
    wanted: tuple[tuple[Quantity, ...], ...] = (("dX",), ("dW",), ("db",))
    comparisons = []
    for gradients in wanted:
        found = evaluate(layer, case.inputs.to(device), gradients=gradients)
        comparisons += case.compare(found, device, ["forward", *gradients])
    judge(evidence, backend, comparisons)


@check(fix="The backward pass relies on a gradient by x that nobody asked for: look at ctx.needs_input_grad.")
def test_fixed_features(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Where x needs no gradient, as in the first layer of a model, dW and db are the same."""
    case = exact_case(PROBE)
    layer = bind(backend, case.graph, device)
    found = evaluate(layer, case.inputs.to(device), gradients=("dW", "db"))
    judge(evidence, backend, case.compare(found, device, ["forward", "dW", "db"]))
