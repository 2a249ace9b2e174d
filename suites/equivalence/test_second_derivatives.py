"""Gradients of gradients, as penalties on gradients, influence functions and second-order optimisers take them.

A layer that can't be differentiated twice has to say so. What is wrong is an answer that is none: a backward pass
of one's own whose result is cut off from the operands gives second derivatives that lack terms, without a word.

The first gradients are products of the same operands as the result, so their derivatives are layers too. With
`S_X = Σ A ⊙ dX`, `S_W = Σ B ⊙ dW`, `S_b = Σ c ⊙ db` and P = ÂᵀG:

    dX = P Wᵀ       ∂S_X/∂W = Aᵀ P          ∂S_X/∂G = Â A W
    dW = Xᵀ P       ∂S_W/∂X = P Bᵀ          ∂S_W/∂G = Â X B
    db = Σ_i G_i                            ∂S_b/∂G = 1 cᵀ

the forward result, dX and dW of the layer with A in the place of X, or B in that of W. By edge weights: `S_X` is the
loss of the layer of A, W and G, so that ∂S_X/∂w is its gradient by edge weights, and so with `S_W`. The gradient by
edge weights, times q, is the loss of the layer that has `Σ q ∂Â/∂w` in the place of Â.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from torch import Tensor

from gnnbench.checks import Evidence, Tier, check, fail, not_applicable
from gnnbench.numerics import (
    D_EDGE_WEIGHT,
    GRADIENTS,
    Comparison,
    LayerInputs,
    Oracle,
    Quantity,
    compare_edge_weights,
    compare_exact,
    exact_inputs,
    multiplies_sparse,
    require_exact,
    require_exact_edge_weights,
)
from gnnbench.numerics.edge_weights import adjacency_tangent
from gnnbench.reference import Backend, WeightedBackend

from .cases import Case, bind, exact_case, judge, make_case
from .variants import slow
from .weighted import ALL_GRADIENTS, bind_weighted, inverse_powers_are_exact, weighted_case, weights

FIX = (
    "A custom backward pass works on detached tensors, on what it stored outside ctx.save_for_backward, or in another "
    "library. Compute it from the saved tensors by differentiable operations, or mark it once_differentiable, so that "
    "it is an error and no wrong number."
)

PROBE = "exact_weighted"

#: Features and channels: layers that pick the cheaper order have another backward pass for each.
WIDTHS = {"narrowing": (16, 8), "widening": (8, 16)}

#: RuntimeErrors that are no refusals.
_FAULTS = ("CUDA error", "illegal memory", "inplace operation", "device-side assert")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Problem:
    """A layer, what its first gradients are multiplied with, and the layers that these products are losses of."""

    case: Case
    factors: Mapping[str, Tensor]
    """A, B, c and q, by the gradient they belong to."""
    losses: Mapping[str, Oracle]
    """Σ G ⊙ ÂAW for dX, Σ G ⊙ ÂXB for dW, Σ G ⊙ 1cᵀ for db."""


@cache
def problem(widths: tuple[int, int], *, weighted: bool = False) -> Problem:
    """Whole numbers on a probe whose edges have weights; `weighted`, where gradients by them are exact too."""
    case = weighted_case(PROBE, exact=True, widths=widths) if weighted else exact_case(PROBE, widths=widths)
    one, other = case.inputs, exact_inputs(case.graph.num_nodes, *widths, seed=1)
    assert other.bias is not None
    losses: dict[Quantity, LayerInputs] = {
        "dX": replace(one, x=other.x, bias=None),
        "dW": replace(one, weight=other.weight, bias=None),
        "db": replace(one, x=torch.zeros_like(one.x), bias=other.bias),
    }
    factors: dict[str, Tensor] = {"dX": other.x, "dW": other.weight, "db": other.bias}
    oracles: dict[str, Oracle] = {
        name: make_case(case.graph, inputs, exact=True).oracle for name, inputs in losses.items()
    }
    if weighted:
        for name in ("dX", "dW"):
            require_exact_edge_weights(oracles[name])
        direction = torch.arange(case.graph.num_edges) % 5 - 2.0
        factors[D_EDGE_WEIGHT] = direction
        oracles[D_EDGE_WEIGHT] = oracles["dX"].under(
            adjacency_tangent(case.oracle, direction), x=case.oracle.inputs.x
        )
        require_exact(oracles[D_EDGE_WEIGHT])
    return Problem(case, factors, oracles)


@check(tier="standard", catches=("F08",), fix=FIX)
def test_layer(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """Gradients of dX, dW and db by x, W and the gradient from above are right, or refused. Bit for bit."""
    compared: list[Comparison] = []
    refused: dict[str, str] = {}
    for label, widths in list(WIDTHS.items())[: 1 if slow(backend, run_tier) else None]:
        given = problem(widths)
        layer = bind(backend, given.case.graph, device)
        for name in GRADIENTS:
            inputs = _leaves(given.case.inputs.to(device))
            out = layer(inputs.x, inputs.weight, inputs.bias)
            try:
                *found, _ = _second(backend, out, inputs, name, given)
            except RuntimeError as error:
                refused[f"{name}, {label}"] = _refusal(error)
                continue
            compared += _compare(given, name, found, device)
    _judge(evidence, backend, compared, refused)


@check(tier="standard", catches=("F08",), fix=FIX)
def test_edge_weights(weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence) -> None:
    """Gradients of dX and dW by edge weights, of the gradient by those, and all without, are right, or refused."""
    compared: list[Comparison] = []
    refused: dict[str, str] = {}
    given = problem((16, 8), weighted=True)
    layer = bind_weighted(weighted_backend, given.case.graph, device)
    exact = inverse_powers_are_exact(device)
    evidence.fact("exact", exact)
    # The gradient by edge weights has no bound of the second order: it is judged where it is exact.
    for name in ALL_GRADIENTS if exact else GRADIENTS:
        inputs = _leaves(given.case.inputs.to(device))
        edge_weight = weights(given.case, device).requires_grad_()
        out = layer(inputs.x, inputs.weight, inputs.bias, edge_weight)
        try:
            *found, by_edge_weight = _second(weighted_backend, out, inputs, name, given, edge_weight)
        except RuntimeError as error:
            refused[name] = _refusal(error)
            continue
        these = _compare(given, name, found, device)
        if name == D_EDGE_WEIGHT and not all(one.passed for one in these):
            sparse = multiplies_sparse(partial(layer, inputs.x, inputs.weight, inputs.bias, edge_weight))
            if sparse and torch_cuts_off(device):
                evidence.fact("cut_off_by_torch", "torch.sparse.mm, differentiated by its sparse operand")
                continue
        compared += these
        if name in ("dX", "dW"):
            one = compare_edge_weights(by_edge_weight, given.losses[name], exact=exact, device=device)
            compared.append(replace(one, name=f"gradient of {name} by edge weight", cause=""))
    _judge(evidence, weighted_backend, compared, refused)


@cache
def torch_cuts_off(device: torch.device) -> bool:
    """Whether the gradient by the values of a COO matrix, of its product with a dense one, is cut off by torch itself.

    It is in torch 2.13 on a CPU: `create_graph=True` gives a tensor that requires no gradient, and no error.
    """
    value, dense, upstream = (
        torch.ones(*shape, device=device, requires_grad=True) for shape in ((2,), (2, 2), (2, 2))
    )
    indices = torch.arange(2, device=device).expand(2, 2)
    matrix = torch.sparse_coo_tensor(indices, value, (2, 2), check_invariants=False).coalesce()
    try:
        (first,) = torch.autograd.grad(torch.sparse.mm(matrix, dense), value, upstream, create_graph=True)
    except RuntimeError:
        return False
    return not first.requires_grad


def _leaves(inputs: LayerInputs) -> LayerInputs:
    """All of them asked for a gradient, the one from above too."""
    for operand in (inputs.x, inputs.weight, inputs.bias, inputs.upstream):
        if operand is not None:
            operand.requires_grad_()
    return inputs


def _second(
    backend: Backend,
    out: Tensor,
    inputs: LayerInputs,
    name: str,
    given: Problem,
    edge_weight: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """The gradient called `name`, and the gradients of Σ factor ⊙ it by x, W, G and edge weights, or None."""
    leaves = {"dX": inputs.x, "dW": inputs.weight, "db": inputs.bias, D_EDGE_WEIGHT: edge_weight}
    leaf = leaves[name]
    assert leaf is not None
    (first,) = torch.autograd.grad(out, leaf, inputs.upstream, create_graph=True)
    if not first.requires_grad:
        fail(
            f"{backend.name}: {name} under create_graph=True is cut off from what it was computed from",
            expected="a gradient that can be differentiated again, or an error that says that it can't be",
            found="a tensor that requires no gradient",
        )
    # Not autograd.grad: it goes no way that does not lead to what is asked for, and what once_differentiable raises
    # stands at the end of such a way.
    torch.autograd.backward(first, given.factors[name].to(first.device))
    operands = inputs.x, inputs.weight, inputs.upstream, edge_weight
    return tuple(None if operand is None else operand.grad for operand in operands)


def _compare(
    given: Problem, name: str, found: Sequence[Tensor | None], device: torch.device
) -> list[Comparison]:
    """The derivatives of Σ factor ⊙ `name` by x, W and G.

    By an operand that it does not depend on there must be none, or 0.
    """
    by_x, by_weight, by_upstream = found
    oracle = given.losses[name]
    # The gradient of a loss that does not depend on an operand is that under no gradient from above.
    nothing = oracle.under(upstream=torch.zeros_like(oracle.inputs.upstream))
    derivatives: list[tuple[str, Quantity, Tensor | None, Oracle]] = [
        ("G", "forward", by_upstream, oracle),
        ("x", "dX", by_x, oracle if name in ("dW", D_EDGE_WEIGHT) else nothing),
        ("W", "dW", by_weight, oracle if name in ("dX", D_EDGE_WEIGHT) else nothing),
    ]
    # The causes that a comparison finds are those of first derivatives.
    return [
        replace(
            compare_exact(quantity, got, of, device=device),
            name=f"gradient of {name} by {operand}",
            cause="",
        )
        for operand, quantity, got, of in derivatives
        if got is not None or of is oracle
    ]


def _refusal(error: RuntimeError) -> str:
    """The first line of what torch says where it can't differentiate twice; raises what is no refusal."""
    if any(mark in str(error) for mark in _FAULTS):
        raise error
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _judge(
    evidence: Evidence, backend: Backend, compared: Sequence[Comparison], refused: Mapping[str, str]
) -> None:
    """Record what was refused; judge the rest, or end as not applicable where nothing is left."""
    if refused:
        evidence.fact("refused", list(refused))
        evidence.fact("refusal", next(iter(refused.values())))
    if not compared:
        not_applicable(
            f"{backend.name} has no second derivatives, and says so: {next(iter(refused.values()))}",
            needs=f"backend:{backend.name}",
        )
    judge(evidence, backend, compared)
