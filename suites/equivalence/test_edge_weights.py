"""Gradients by edge weights, normalisation included: what attention, pruning and learnt graphs stand on.

Backends that can't differentiate by edge weights are not judged here at all.
"""

from __future__ import annotations

import pytest
import torch

from gnnbench.checks import Evidence, check, tier
from gnnbench.graphs import SelfLoops
from gnnbench.reference import WeightedBackend

from .cases import judge
from .weighted import bind_weighted, comparisons, inverse_powers_are_exact, weighted_case

FIX = (
    "d Â/d w has two parts: the edge's own entry, and every entry that the degree of its target normalises. See "
    "which part is off, and whether the gradients come in the order of the edges; then run this check on the "
    "backend 'dense'."
)

#: What each shows is in `gnnbench.graphs.probes`. Unweighted ones are given ones for weights.
PROBES = (
    "directed",
    "mixed",
    "own_loops",
    "double_loop",
    "duplicates",
    "multigraph",
    "zero_weight",
    "random",
)


@check(catches=("F08", "F15", "F17", "F22", "F23"), fix=FIX)
@pytest.mark.parametrize(
    "probe", [pytest.param(name, marks=tier("smoke" if name == PROBES[0] else "standard")) for name in PROBES]
)
def test_gradient(
    weighted_backend: WeightedBackend, probe: str, device: torch.device, evidence: Evidence
) -> None:
    """Forward and all gradients, those by edge weights too, are within their error bounds."""
    case = weighted_case(probe)
    layer = bind_weighted(weighted_backend, case.graph, device)
    judge(evidence, weighted_backend, comparisons(layer, case, device))


@check(tier="standard", catches=("F08", "F15", "F17", "F22", "F23"), fix=FIX)
@pytest.mark.parametrize("probe", ["exact_plain", "exact_weighted", "exact_multigraph", "exact_mixed"])
def test_exact(
    weighted_backend: WeightedBackend, probe: str, device: torch.device, evidence: Evidence
) -> None:
    """On probes where nothing can round, all of them equal the float64 oracle bit for bit."""
    case = weighted_case(probe, exact=True)
    layer = bind_weighted(weighted_backend, case.graph, device)
    evidence.fact("exact", inverse_powers_are_exact(device))
    judge(evidence, weighted_backend, comparisons(layer, case, device))


@check(tier="standard", catches=("F17", "F18"), fix=FIX)
@pytest.mark.parametrize("self_loops", ["add_remaining", "none"])
def test_self_loops(
    weighted_backend: WeightedBackend, self_loops: SelfLoops, device: torch.device, evidence: Evidence
) -> None:
    """Own self-loops have their gradient under other conventions than A + I too. Bit for bit."""
    case = weighted_case("exact_mixed", self_loops, exact=True)
    layer = bind_weighted(weighted_backend, case.graph, device, self_loops)
    judge(evidence, weighted_backend, comparisons(layer, case, device))


@check(
    tier="standard",
    catches=("F21",),
    fix="The normalisation, or what its backward pass needs, is kept from one call to the next.",
)
def test_new_weights(weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence) -> None:
    """One layer, called with some weights, with others, and with the first again."""
    cases = [weighted_case("exact_weighted", exact=True, turned=turned) for turned in (False, True, False)]
    layer = bind_weighted(weighted_backend, cases[0].graph, device)
    judge(
        evidence,
        weighted_backend,
        [comparison for case in cases for comparison in comparisons(layer, case, device)],
    )
