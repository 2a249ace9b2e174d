"""What is wrong only where two or three conditions meet: no bias, F < C, under no_grad. Bit for bit.

Other checks vary one condition at a time. Here nine vary together, so that any three of them meet in some call, and
in tier full any four. A failure is told by the fewest conditions that it needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gnnbench.checks import Evidence, NotApplicable, Tier, check, fail
from gnnbench.numerics import Comparison
from gnnbench.reference import Backend, compiles

from .conditions import Conditions, combinations, judged, judged_where_served, needed
from .roots import settled
from .variants import record_worst

#: How many conditions meet in every way. 545 rows take 0.5 s on a CPU, 2,502 take 3 s.
_STRENGTH = {Tier.SMOKE: 2, Tier.STANDARD: 3, Tier.FULL: 4, Tier.SOAK: 4}

#: Of the pairs, backends that compile are given one row in so many: each may cost a compilation, of up to 3 s.
_COMPILED_SHARE = {Tier.SMOKE: 36, Tier.STANDARD: 36, Tier.FULL: 4, Tier.SOAK: 1}

#: Different causes that a failure names.
_NAMED = 3


@check(
    tier="standard",
    catches=("F01", "F07", "F08", "F17", "F18", "F19", "F20", "F22"),
    fix="Look at the branch that is taken where these conditions meet, and nowhere else: layers choose by strides, "
    "widths, bias, gradient mode and needs_input_grad. Each condition that is named is needed for the failure; those that "
    "are not named do not matter.",
)
def test_combinations(backend: Backend, device: torch.device, run_tier: Tier, evidence: Evidence) -> None:
    """Any three conditions of a call meet: layouts, bias, widths, gradients, mode, loops, weights and edges."""
    few = compiles(backend)
    rows = combinations(2)[:: _COMPILED_SHARE[run_tier]] if few else combinations(_STRENGTH[run_tier])
    judge_combinations(evidence, backend, rows, device)


def judge_combinations(
    evidence: Evidence, backend: Backend, rows: Sequence[Conditions], device: torch.device
) -> None:
    """Every row; fails with the fewest conditions that each failure needs."""
    __tracebackhide__ = True
    found: dict[str, list[Comparison]] = {}
    wrong: list[tuple[Conditions, list[Comparison] | Exception]] = []
    replaced = 0
    for row in rows:
        try:
            conditions, comparisons = judged_where_served(backend, row, device)
        except NotApplicable:
            if found or wrong:
                continue
            raise
        except Exception as error:
            wrong.append((row, error))
            continue
        replaced += conditions != row
        comparisons = settled(evidence, backend, comparisons)
        found[", ".join(conditions.values())] = comparisons
        if not all(one.passed for one in comparisons):
            wrong.append((conditions, comparisons))
    evidence.fact("combinations", {"judged": len(found), "on a plainer graph": replaced, "wrong": len(wrong)})
    record_worst(evidence, found)
    if not wrong:
        return

    def fails(conditions: Conditions) -> bool:
        return is_wrong(backend, conditions, device)

    causes: list[Conditions] = []
    for conditions, _ in wrong:
        # What a named cause explains needs no other.
        if len(causes) < _NAMED and not any(cause.items() <= conditions.items() for cause in causes):
            causes.append(needed(conditions, fails))
    evidence.fact("wrong_where", [dict(cause) for cause in causes])
    _tell(backend, wrong[0][1], causes, f"{len(wrong):,} of {len(rows):,}")


def is_wrong(backend: Backend, conditions: Conditions, device: torch.device) -> bool:
    """Whether the backend gives another result than it must, or none; False where it refuses the graph."""
    try:
        found = settled(Evidence(), backend, judged(backend, conditions, device))
        return not all(one.passed for one in found)
    except NotApplicable:
        return False
    except Exception:
        return True


def _tell(
    backend: Backend, first: list[Comparison] | Exception, causes: list[Conditions], share: str
) -> None:
    __tracebackhide__ = True
    where = ", or where ".join(" and ".join(cause.values()) for cause in causes if cause)
    summary = f"{backend.name}: wrong {f'where {where}' if where else 'whatever the conditions are'}"
    if not isinstance(first, list):
        message = f"{summary}; {type(first).__name__}: {first}"
        raise RuntimeError(message) from first  # noqa: TRY004 - whatever the backend raised
    worst = max(first, key=lambda one: one.ratio)
    fail(
        f"{summary}; {worst.summary}",
        expected=worst.expected + (f" at {worst.where}" if worst.where else ""),
        found=f"{worst.got}; {share} combinations are wrong",
        cause="" if where else worst.cause,
    )
