"""NaN and infinity in every operand but x, and numbers that overflow: a training must see them, where they are.

Loss scaling lives from it: `GradScaler` skips a step where a gradient is not finite, and steps where one was hidden.
`test_use.test_not_finite` has them in x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.checks import Evidence, check, fail
from gnnbench.numerics import LayerInputs, Quantity, evaluate
from gnnbench.reference import Backend

from .cases import Case, bind, exact_case

PROBE = "exact_plain"

#: Two of them multiply to 2^240, and float32 ends at 2^128.
LARGE = 2.0**120

#: The feature and the channel that are spoilt.
_FEATURE, _CHANNEL = 0, 5


@dataclass(frozen=True, slots=True)
class Spoilt:
    """How an operand is spoilt, and which entries of each quantity are then not finite."""

    spoil: Callable[[LayerInputs, int, float], None]
    """Of the operands, a node and the number."""
    shown: Callable[[Case, int], dict[Quantity, Tensor]]
    """For each quantity bool of its shape: all entries that depend on the number."""


def _in_weight(inputs: LayerInputs, node: int, number: float) -> None:
    inputs.weight[_FEATURE, _CHANNEL] = number


def _in_bias(inputs: LayerInputs, node: int, number: float) -> None:
    assert inputs.bias is not None
    inputs.bias[_CHANNEL] = number


def _in_gradient(inputs: LayerInputs, node: int, number: float) -> None:
    # Where no feature and no weight is 0, so that a product that leaves zeros out has none to leave out.
    inputs.upstream[node, _CHANNEL] = number


def _overflowing(inputs: LayerInputs, node: int, number: float) -> None:
    inputs.x[node, _FEATURE] = LARGE
    inputs.weight[_FEATURE, _CHANNEL] = LARGE


def _one_channel(case: Case, node: int) -> dict[Quantity, Tensor]:
    return {"forward": _marked(case, slice(None))}


def _hearing(case: Case, node: int) -> dict[Quantity, Tensor]:
    return {"forward": _marked(case, _reached(case.graph.source, case.graph.target, node))}


def _heard(case: Case, node: int) -> dict[Quantity, Tensor]:
    """The gradient goes back to all that the node hears, with each feature; to one column of W, and one entry of b."""
    rows = torch.zeros(case.inputs.x.shape, dtype=torch.bool)
    rows[_reached(case.graph.target, case.graph.source, node)] = True
    columns = torch.zeros(case.inputs.weight.shape, dtype=torch.bool)
    columns[:, _CHANNEL] = True
    return {"dX": rows, "dW": columns, "db": columns[0]}


def _marked(case: Case, rows: slice | Tensor) -> Tensor:
    marked = torch.zeros(case.inputs.upstream.shape, dtype=torch.bool)
    marked[rows, _CHANNEL] = True
    return marked


def _reached(start: Tensor, end: Tensor, node: int) -> Tensor:
    return torch.cat([end[start == node], torch.tensor([node])])


SPOILT = {
    "W": Spoilt(_in_weight, _one_channel),
    "b": Spoilt(_in_bias, _one_channel),
    "G": Spoilt(_in_gradient, _heard),
    "x times W": Spoilt(_overflowing, _hearing),
}

NUMBERS = (float("nan"), float("inf"))


@check(
    tier="standard",
    catches=("F09", "F41"),
    fix="Numbers that are not finite are hidden, cut off at the largest number, or spread: look for nan_to_num, clamps, "
    "and products that leave out rows by comparing. A GradScaler skips the steps whose gradients are not finite, and "
    "takes one whose NaN was hidden.",
)
def test_operands(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """NaN or infinity in W, b or G, and products that overflow, reach what depends on them, and no other nodes."""
    case = exact_case(PROBE)
    # One that hears others and is heard.
    node = int(case.graph.target[torch.isin(case.graph.target, case.graph.source)][0])
    layer = bind(backend, case.graph, device)
    looked_at = []
    for name, spoilt in SPOILT.items():
        for number in NUMBERS if name != "x times W" else (LARGE,):
            inputs = case.inputs.to(device)
            # No zeros: a product that leaves them out may not meet the number that is not finite.
            for operand in (inputs.x, inputs.weight):
                operand[operand == 0] = 1
            spoilt.spoil(inputs, node, number)
            found = evaluate(layer, inputs)
            for quantity, right in spoilt.shown(case, node).items():
                label = f"{quantity} where {name} holds {number:g}"
                _judge(backend, label, getattr(found, quantity), right)
                looked_at.append(label)
    evidence.fact("looked_at", looked_at)


def _judge(backend: Backend, label: str, got: object, right: Tensor) -> None:
    __tracebackhide__ = True
    if not isinstance(got, Tensor) or got.shape != right.shape:
        fail(
            f"{backend.name}: no {label}", expected=f"a result of shape {list(right.shape)}", found=repr(got)
        )
    wrong = (~torch.isfinite(got)).cpu()
    hidden, spread = right & ~wrong, _rows(wrong) & ~_rows(right)
    # A dense matrix multiplies it by its zeros as well, and 0 · NaN is NaN. Within a row products with an identity
    # do, which layers take that aggregate apart.
    if not bool(hidden.any()) and (not bool(spread.any()) or bool(_rows(wrong).all())):
        return
    at = (hidden if bool(hidden.any()) else spread).nonzero()[0].tolist()
    fail(
        f"{backend.name}: {label}: not finite is {'hidden' if bool(hidden.any()) else 'spread'} at {at}",
        expected=f"{int(right.sum())} entries that are not finite: those that depend on it",
        found=f"{int(wrong.sum())}",
    )


def _rows(entries: Tensor) -> Tensor:
    """Which nodes or features have one of `entries`; of a bias whether any has."""
    return entries.any(dim=-1)
