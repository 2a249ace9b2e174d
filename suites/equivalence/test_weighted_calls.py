"""Several calls of one layer with edge weights: nothing of the weights is kept from one call to the next.

Programs change weights in place (an optimizer), freeze and thaw them, and call one layer with several. All exact.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, Tier, check
from gnnbench.numerics import D_EDGE_WEIGHT, GRADIENTS, Comparison, LayerInputs, LayerResult
from gnnbench.reference import WeightedBackend, WeightedLayer

from .cases import Case, judge, make_case
from .test_state import relabelled
from .variants import slow
from .weighted import ALL_GRADIENTS, bind_weighted, compare_weighted, comparisons, weighted_case, weights

PROBE = "exact_weighted"


@cache
def turns() -> tuple[Case, ...]:
    """One graph with some weights, with others, and with the first again."""
    first, other = (weighted_case(PROBE, exact=True, turned=turned) for turned in (False, True))
    return first, other, first


@check(
    tier="standard",
    catches=("F21",),
    fix="The normalisation is kept under the address or the identity of the edge weights: compute it in each call, "
    "whether or not they require a gradient.",
)
@pytest.mark.parametrize("frozen", [False, True], ids=["learnt", "frozen"])
def test_changed_weights(
    weighted_backend: WeightedBackend, frozen: bool, device: torch.device, evidence: Evidence
) -> None:
    """Edge weights that change in place between calls, as an optimizer changes them, are read anew each time."""
    first, *_ = turns()
    layer = bind_weighted(weighted_backend, first.graph, device)
    inputs = first.inputs.to(device)
    edge_weight = weights(first, device).requires_grad_(not frozen)
    wanted = [name for name in ALL_GRADIENTS if not frozen or name != D_EDGE_WEIGHT]
    compared: list[Comparison] = []
    for case in turns():
        with torch.no_grad():
            edge_weight.copy_(weights(case, device))
            out = layer(inputs.x, inputs.weight, inputs.bias, edge_weight)
        compared += case.compare(LayerResult(forward=out), device, ["forward"])
        found = _Pending(layer, case, inputs, edge_weight, wanted).finish()
        compared += compare_weighted(case, *found, device, wanted)
    judge(evidence, weighted_backend, compared)


@check(
    tier="standard",
    catches=("F21",),
    fix="The normalisation is taken from the weights that the graph had when the layer was bound, which are not to be "
    "looked at.",
)
def test_bound_weights(weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence) -> None:
    """A layer bound to a graph with weights of its own uses those of the call, in training and inference."""
    case, other, _ = turns()
    layer = bind_weighted(weighted_backend, other.graph, device, keep_weights=True)
    inputs = case.inputs.to(device)
    with torch.no_grad():
        out = layer(inputs.x, inputs.weight, inputs.bias, weights(case, device))
    judge(
        evidence,
        weighted_backend,
        [
            *case.compare(LayerResult(forward=out), device, ["forward"]),
            *comparisons(layer, case, device),
            *comparisons(layer, case, device, GRADIENTS),
        ],
    )


def calls_in_turn() -> list[Case]:
    """One graph at several widths, with a bias and without, and another of the same size between."""
    sizes = (((16, 8), True), ((8, 16), True), ((16, 1), False), ((16, 8), False))
    one = [weighted_case(PROBE, exact=True, widths=widths, bias=bias) for widths, bias in sizes]
    first, other, _ = turns()
    return [first, other, relabelled(first), first, *one, other]


@check(
    tier="standard",
    catches=("F21",),
    fix="What is kept for the backward pass is kept once, not once a call: save it in ctx, not in the layer.",
)
def test_interleaved(
    weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence, run_tier: Tier
) -> None:
    """Calls with other weights, widths and graphs run forward one after the other, and backward in that order."""
    layers: dict[bytes, WeightedLayer] = {}
    pending = []
    for case in calls_in_turn()[: 4 if slow(weighted_backend, run_tier) else None]:
        # One layer for all weights of the same edges.
        key = case.graph.edge_index.numpy().tobytes()
        if key not in layers:
            layers[key] = bind_weighted(weighted_backend, case.graph, device)
        edge_weight = weights(case, device).requires_grad_()
        pending.append((case, _Pending(layers[key], case, case.inputs.to(device), edge_weight)))
    compared: list[Comparison] = []
    for case, one in pending:
        wanted = [name for name in ALL_GRADIENTS if name != "db" or case.inputs.bias is not None]
        compared += compare_weighted(case, *one.finish(), device, wanted)
    judge(evidence, weighted_backend, compared)


@check(
    tier="standard",
    catches=("F08",),
    fix="The backward pass spoils or adds to what the first one left: nothing in ctx may change.",
)
def test_backward_twice(weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence) -> None:
    """One graph differentiated twice gives the gradients of each upstream, and `.backward()` adds them up."""
    case = weighted_case(PROBE, exact=True)
    twice = _doubled(case)
    layer = bind_weighted(weighted_backend, case.graph, device)
    inputs, edge_weight = case.inputs.to(device), weights(case, device).requires_grad_()
    once = _Pending(layer, case, inputs, edge_weight)
    compared: list[Comparison] = []
    for one in (case, twice):
        try:
            found = once.finish(one.inputs.upstream.to(device), keep=True)
        except RuntimeError as error:
            # Inductor gives away what it saved, and says so: its graphs can be differentiated once.
            if "donated buffer" not in str(error):
                raise
            evidence.fact("differentiated_twice", "refused by torch.compile")
            break
        compared += compare_weighted(one, *found, device)
    for _ in range(2):
        again = layer(inputs.x, inputs.weight, inputs.bias, edge_weight)
        torch.autograd.backward(again, inputs.upstream)
    assert inputs.bias is not None
    added = LayerResult(forward=again.detach(), dX=inputs.x.grad, dW=inputs.weight.grad, db=inputs.bias.grad)
    compared += compare_weighted(twice, added, edge_weight.grad, device)
    judge(evidence, weighted_backend, compared)


def _doubled(case: Case) -> Case:
    """The same with twice the gradient from above."""
    return make_case(case.graph, replace(case.inputs, upstream=2 * case.inputs.upstream), exact=True)


class _Pending:
    """A forward pass whose backward pass is yet to come."""

    def __init__(
        self,
        layer: WeightedLayer,
        case: Case,
        inputs: LayerInputs,
        edge_weight: Tensor,
        wanted: Collection[str] = ALL_GRADIENTS,
    ) -> None:
        operands = {
            "dX": inputs.x,
            "dW": inputs.weight,
            "db": inputs.bias,
            D_EDGE_WEIGHT: edge_weight,
        }
        self.leaves = {
            name: operand.requires_grad_()
            for name, operand in operands.items()
            if operand is not None and name in wanted
        }
        self.upstream = inputs.upstream
        self.out = layer(inputs.x, inputs.weight, inputs.bias, edge_weight)

    def finish(
        self, upstream: Tensor | None = None, *, keep: bool = False
    ) -> tuple[LayerResult, Tensor | None]:
        """Run it backward, by another gradient from above if given; `keep` what it needs for another time."""
        found = torch.autograd.grad(
            self.out,
            list(self.leaves.values()),
            self.upstream if upstream is None else upstream,
            allow_unused=True,
            retain_graph=keep,
        )
        by_name = dict(zip(self.leaves, found, strict=True))
        by_edge_weight = by_name.pop(D_EDGE_WEIGHT, None)
        return LayerResult(forward=self.out.detach(), **by_name), by_edge_weight
