"""A backend's gradient by edge weights against the oracle, and what a wrong one most likely is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gnnbench.numerics.comparison import ByBound, Comparison, Rule, entrywise, misformed
from gnnbench.numerics.edge_weights import (
    edge_weight_bound,
    edge_weight_gradient,
    unnormalised_gradient,
)
from gnnbench.numerics.layer import GRADIENTS, LayerInputs, LayerResult
from gnnbench.numerics.oracle import Oracle

#: The quantity's name in margins and messages.
D_EDGE_WEIGHT = "d_edge_weight"


def evaluate_weighted(
    layer: Callable[[Tensor, Tensor, Tensor | None, Tensor], Tensor],
    inputs: LayerInputs,
    edge_weight: Tensor,
    gradients: Collection[str] = (*GRADIENTS, D_EDGE_WEIGHT),
) -> tuple[LayerResult, Tensor | None]:
    """Run `layer` forward and backward; the four quantities of `evaluate`, and the gradient by `edge_weight`.

    Only the operands of `gradients` require one. A gradient that does not exist is None, as there. Whatever the
    layer raises passes through.
    """
    operands = {"dX": inputs.x, "dW": inputs.weight, "db": inputs.bias, D_EDGE_WEIGHT: edge_weight}
    leaves = {
        name: None if operand is None else operand.detach().requires_grad_(name in gradients)
        for name, operand in operands.items()
    }
    with torch.enable_grad():
        out = layer(*leaves.values())  # type: ignore[arg-type]  # only the bias is None
    if not isinstance(out, Tensor) or not out.requires_grad or out.shape != inputs.upstream.shape:
        return LayerResult(forward=out), None
    wanted = {name: leaf for name, leaf in leaves.items() if leaf is not None and leaf.requires_grad}
    found = torch.autograd.grad(out, list(wanted.values()), inputs.upstream.to(out.dtype), allow_unused=True)
    by_name = dict(zip(wanted, found, strict=True))
    by_edge_weight = by_name.pop(D_EDGE_WEIGHT, None)
    return LayerResult(forward=out.detach(), **by_name), by_edge_weight


def edge_weight_answer(oracle: Oracle) -> tuple[Tensor, Tensor]:
    """The closed form and its bound, float64 `[E]` each."""
    return edge_weight_gradient(oracle), edge_weight_bound(oracle)


def compare_edge_weights(
    got: Any,
    oracle: Oracle,
    *,
    exact: bool = False,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    answer: tuple[Tensor, Tensor] | None = None,
) -> Comparison:
    """`got` `[E]` against the closed form: within its componentwise bound, or bit for bit where `exact`.

    An exact probe must have passed `require_exact_edge_weights`. `answer` is `edge_weight_answer(oracle)` for who asks
    often. Other arguments as for `compare`.
    """
    expected, room = edge_weight_answer(oracle) if answer is None else answer
    wrong = misformed(D_EDGE_WEIGHT, got, expected.shape, device=torch.device(device), dtype=dtype)
    if wrong is not None:
        return wrong

    def judged(rule: Rule, bound: Tensor) -> Comparison:
        return entrywise(
            D_EDGE_WEIGHT,
            rule,
            got,
            expected,
            bound,
            lambda values, beyond: _cause(values, beyond, expected, room, oracle),
        )

    if not exact:
        return judged("componentwise", room)
    found = judged("exact", torch.zeros_like(room))
    if found.passed:
        return found
    return replace(found, by_bound=ByBound(judged("componentwise", room), torch.device(device), dtype))


def _cause(values: Tensor, beyond: Tensor, expected: Tensor, room: Tensor, oracle: Oracle) -> str:
    """One sentence; a cause is named only where its numbers fit `values` everywhere."""
    for cause, candidate in _alternatives(expected, oracle):
        if bool(((values - candidate).abs() <= room).all()):
            return cause
    source, target = oracle.graph.edge_index.cpu()
    first = int(beyond.nonzero()[0])
    text = f"the first wrong one is edge {first}, from node {int(source[first])} to {int(target[first])}"
    loops = source == target
    if bool(beyond[loops].all()) and not bool(beyond[~loops].any()):
        return "exactly the self-loops are wrong; " + text
    return text


def _alternatives(expected: Tensor, oracle: Oracle) -> list[tuple[str, Tensor]]:
    """What known mistakes would give, `(cause, [E])`."""
    source, target = oracle.graph.edge_index.cpu()
    n = max(oracle.graph.num_nodes, 1)
    keys = target * n + source
    _, place, counts = torch.unique(keys, return_inverse=True, return_counts=True)
    by_target, by_source = keys.argsort(stable=True), (source * n + target).argsort(stable=True)
    return [
        ("no gradient at all: the weights are taken for constants", torch.zeros_like(expected)),
        (
            "the normalisation is taken for a constant: its derivative by the degree is missing",
            unnormalised_gradient(oracle),
        ),
        ("twice the gradient", 2 * expected),
        ("half the gradient", expected / 2),
        ("the right numbers in the order of edges sorted by target", expected[by_target]),
        ("the right numbers in the order of edges sorted by source", expected[by_source]),
        ("the gradient of duplicate edges is shared out among them", expected / counts[place]),
        ("the gradient of duplicate edges is summed over them", expected * counts[place]),
        ("self-loops get no gradient", torch.where(source == target, 0.0, expected)),
    ]
