"""One exact check, again and again: what is wrong once in a while, and says nothing."""

from __future__ import annotations

from functools import cache

import torch

from gnnbench.checks import Evidence, Tier, check, fail
from gnnbench.graphs import sized_exact_graph
from gnnbench.numerics import (
    QUANTITIES,
    Disagreement,
    LayerResult,
    Quantity,
    differing_values,
    evaluate,
    exact_inputs,
    gcn_bounds,
    rule_of_three,
)
from gnnbench.reference import Backend

from .cases import Case, bind, make_case
from .roots import settled

#: Past what counters of 7 and of 10 bits hold: what goes wrong from some call on shows too.
REPETITIONS = {Tier.STANDARD: 200, Tier.FULL: 1_100, Tier.SOAK: 20_000}

#: (nodes, features, channels): a GPU is given enough to keep all its multiprocessors at work.
SIZES = {"cpu": (257, 16, 8), "cuda": (8193, 32, 32)}


@cache
def soak_case(kind: str) -> Case:
    nodes, features, channels = SIZES[kind]
    return make_case(sized_exact_graph(nodes), exact_inputs(nodes, features, channels), exact=True)


@check(
    tier="standard",
    catches=("F12", "F41"),
    fix="Right most of the time and wrong in between is a race or a device that loses bits. Run this check alone at "
    "--tier soak, also on another device of the kind; read `nvidia-smi -q -d ECC,ROW_REMAPPER`, and run the vendor's "
    "diagnosis (`dcgmi diag -r 3`).",
)
def test_repeated(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """An exact check repeated: every repetition equals the oracle bit for bit, so none was corrupted unseen."""
    case = soak_case(device.type)
    repetitions = REPETITIONS[run_tier]
    layer = bind(backend, case.graph, device)
    inputs = case.inputs.to(device)
    # Compared where it was computed: of the right answer float32 holds every bit.
    expected = {name: case.oracle.of(name).float().to(device) for name in QUANTITIES}
    rooms = rooms_of(evidence, backend, case, evaluate(layer, inputs), device)
    wrong: list[tuple[int, Disagreement]] = []
    for repetition in range(repetitions):
        found = first_wrong(evaluate(layer, inputs), expected, backend, rooms)
        if found is not None:
            wrong.append((repetition, found))
    evidence.fact("repetitions", repetitions)
    evidence.fact("disagreements", len(wrong))
    evidence.fact("repetitions_that_disagree", [repetition for repetition, _ in wrong[:100]])
    # A margin, so that a passed soak shows what it compared.
    evidence.margin(
        f"{repetitions:,} repetitions", error=float(len(wrong)), bound=0.0, rule="exact, repeated"
    )
    if not wrong:
        rate = rule_of_three(repetitions)
        evidence.fact("rate_below", rate)
        evidence.fact(
            "statement",
            f"no disagreement in {repetitions:,} repetitions: with 95 % confidence fewer than {rate:.2g} of all "
            "calls are wrong (rule of three)",
        )
        return
    repetition, first = wrong[0]
    always = len(wrong) == repetitions
    fail(
        f"{backend.name}: {len(wrong):,} of {repetitions:,} repetitions of one exact check are wrong",
        expected="the same right answer every time",
        found=f"in repetition {repetition + 1:,}, {first.summary}",
        cause=_cause(always, first),
    )


def rooms_of(
    evidence: Evidence, backend: Backend, case: Case, found: LayerResult, device: torch.device
) -> dict[Quantity, torch.Tensor]:
    """How far from the right answer each quantity may be: nowhere, but for a backend whose inverse roots round."""
    judged = settled(evidence, backend, case.compare(found, device))
    if all(one.rule == "exact" for one in judged):
        return {}
    return {name: bound.to(device) for name, bound in gcn_bounds(case.oracle).items()}


def first_wrong(
    found: LayerResult,
    expected: dict[Quantity, torch.Tensor],
    backend: Backend,
    rooms: dict[Quantity, torch.Tensor],
) -> Disagreement | None:
    """The first quantity that is not what it must be, or None."""
    __tracebackhide__ = True
    for name, right in expected.items():
        got = getattr(found, name)
        if not isinstance(got, torch.Tensor) or got.shape != right.shape or got.dtype != right.dtype:
            fail(
                f"{backend.name}: {name} has not the form of a result",
                expected=f"{right.dtype} {list(right.shape)}",
                found=f"{got.dtype} {list(got.shape)}" if isinstance(got, torch.Tensor) else repr(got),
            )
        wrong = differing_values(name, got, right, rooms.get(name))
        if wrong is not None:
            return wrong
    return None


def _cause(always: bool, first: Disagreement) -> str:
    if always:
        return "it is wrong every time, so chance has no part in it: the exact checks say what is wrong"
    if len(first.bits) == 1 and first.entries == 1:
        return f"a single bit of a single number flipped (bit {first.bits[0]}): memory or a register that loses bits"
    return "a race between threads, or memory that is read before it is written"
