"""The same again: bit for bit where torch promises it, and where not within twice the bound."""

from __future__ import annotations

import torch

from gnnbench.checks import Evidence, Tier, check, fail, not_applicable
from gnnbench.numerics import (
    QUANTITIES,
    LayerResult,
    NoDeterministicImplementation,
    Spread,
    evaluate,
    multiplies_sparse,
)
from gnnbench.numerics.layer import entry_name
from gnnbench.reference import Backend

from .cases import bind, judge
from .repeats import REPETITIONS, disagreement, judge_form, operands_of, promise, real_case


@check(
    catches=("F12", "F13"),
    fix="Something in the layer depends on more than its operands: atomics, uninitialised memory, a race, or "
    "state kept from call to call.",
)
def test_same_bits(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """Where torch promises it, the same operands give the same bits in forward, dX, dW and db."""
    case = real_case()
    repetitions = REPETITIONS[run_tier]
    evidence.fact("repetitions", repetitions)
    try:
        with promise(backend, device):
            layer = bind(backend, case.graph, device)
            inputs = case.inputs.to(device)
            first = evaluate(layer, inputs)
            differing = [
                found
                for _ in range(repetitions)
                if (found := disagreement(evaluate(layer, inputs), first)) is not None
            ]
            sparse = (
                bool(differing)
                and device.type == "cuda"
                and multiplies_sparse(lambda: layer(*operands_of(case, device)))
            )
    except NoDeterministicImplementation as reason:
        not_applicable(f"{backend.name}: {reason}", needs=f"backend:{backend.name}")
    evidence.fact("differing", len(differing))
    if sparse:
        not_applicable(
            f"{backend.name}: {len(differing)} of {repetitions} repetitions differ, in a sparse product, for which "
            "neither torch nor cuSPARSE promises the same bits",
            needs=f"backend:{backend.name}",
        )
    if differing:
        fail(
            f"{backend.name}: {len(differing)} of {repetitions} repetitions give other bits for the same operands",
            expected="the same bits every time",
            found=differing[0].summary,
            cause="a sum whose order changes from call to call, or memory that nobody wrote to",
        )
    # Under torch's switch other kernels run than those that the rest of the suite judges.
    judge(evidence, backend, case.compare(first, device))


@check(
    tier="standard",
    catches=("F12", "F41"),
    fix="The results of one and the same call lie further apart than rounding explains: this is no matter of the "
    "order of a sum. Look for races and for memory errors (`nvidia-smi -q -d ECC`).",
)
def test_spread(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """Where bits are not promised, results of the same call lie within twice the bound of each other."""
    case = real_case()
    layer = bind(backend, case.graph, device)
    inputs = case.inputs.to(device)
    spreads = {name: Spread() for name in QUANTITIES}
    first: LayerResult | None = None
    differing = 0
    for _ in range(REPETITIONS[run_tier]):
        found = evaluate(layer, inputs)
        judge_form(backend, case, found, device)
        first = first or found
        differing += disagreement(found, first) is not None
        for name, spread in spreads.items():
            spread.add(getattr(found, name))
    evidence.fact("repetitions", REPETITIONS[run_tier])
    evidence.fact("differing", differing)
    assert case.bounds is not None
    for name, spread in spreads.items():
        error, bound, index = spread.worst(case.bounds[name])
        where = entry_name(name, index)
        margin = evidence.margin(
            name, error=error, bound=2 * bound, rule="run to run, twice the componentwise bound", where=where
        )
        if device.type != "cpu" or differing:
            evidence.measure(
                "run_to_run_spread",
                error / bound if bound else 0.0,
                unit="ratio",
                direction="lower",
                device=str(device),
                workload="gcn-layer-repeated",
                backend=backend.name,
                quantity=name,
            )
        if not margin.passed:
            fail(
                f"{backend.name}: {name} of one call and of the same call again are further apart than two right "
                "answers can be",
                expected=f"within {2 * bound:.3g} at {where}",
                found=f"{error:.3g} apart, over {REPETITIONS[run_tier]} repetitions",
            )
