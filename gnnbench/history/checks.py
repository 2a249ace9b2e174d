"""Which checks end otherwise, which numbers came nearer to their bounds, and which counts differ."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gnnbench.history.consequence import Weight
from gnnbench.record import Margin, Measurement, Outcome, Result, Run

Turn = Literal[
    "fails now",
    "never ended",
    "fails otherwise",
    "failed, and is not judged now",
    "no longer judged",
    "passes now",
    "judged now",
    "neither judged",
    "not asked for",
]
#: What a check did, the worst news first, and how much that is likely to matter.
TURNS: Mapping[Turn, Weight] = {
    "fails now": Weight.BREAKS,
    "never ended": Weight.BREAKS,
    "fails otherwise": Weight.RESULTS,
    "failed, and is not judged now": Weight.RESULTS,
    "no longer judged": Weight.RESULTS,
    "passes now": Weight.RESULTS,
    "judged now": Weight.UNKNOWN,
    "neither judged": Weight.UNKNOWN,
    "not asked for": Weight.PASSING,
}
#: A margin is told of where it grew by this: the least by which the rounding of one floating-point format exceeds that
#: of another, 2⁻⁸ of bfloat16 against 2⁻¹¹ of float16.
GROWTH = 8.0
_TIERS = ("smoke", "standard", "full", "soak")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
_JUDGED = (Outcome.PASSED, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class CheckChange:
    """A check that ended otherwise; None where a document has it not."""

    turn: Turn
    before: Result | None
    after: Result | None

    @property
    def result(self) -> Result:
        """The one that tells most of it: that of the second document where there is one."""
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class MarginChange:
    """A comparison that passed in both and came nearer to its bound by `GROWTH` or more."""

    result: Result
    before: Margin
    after: Margin

    @property
    def growth(self) -> float:
        """New margin ÷ old margin; infinite where the old one was 0."""
        return self.after.ratio / self.before.ratio if self.before.ratio else math.inf

    @property
    def weight(self) -> Weight:
        """Heavier where one more such step would pass the bound."""
        return Weight.RESULTS if self.after.ratio * min(self.growth, GROWTH) > 1 else Weight.UNKNOWN


@dataclass(frozen=True, slots=True)
class CountChange:
    """A count that repeats exactly, such as of bytes or of nodes, and differs."""

    result: Result
    before: Measurement
    after: Measurement

    @property
    def better(self) -> bool:
        """Whether the second is the better."""
        return (self.after.median > self.before.median) == (self.after.direction == "higher")


def compare_checks(a: Run, b: Run) -> tuple[CheckChange, ...]:
    """Every check that did not end alike, the worst news first, then as they ran."""
    old, new = ({result.id: result for result in run.results} for run in (a, b))
    never = set(b.unfinished) - new.keys()
    found = []
    for name in dict.fromkeys((*new, *old)):
        turn = _turn(old.get(name), new.get(name), a, b, never=name in never)
        if turn is not None:
            found.append(CheckChange(turn, old.get(name), new.get(name)))
    order = list(TURNS)
    return tuple(sorted(found, key=lambda change: order.index(change.turn)))


def compare_margins(a: Run, b: Run) -> tuple[MarginChange, ...]:
    """Comparisons that came nearer to their bounds, the nearest first."""
    old = {result.id: _worst(result) for result in a.results if result.outcome is Outcome.PASSED}
    found = []
    for result in b.results:
        if result.outcome is not Outcome.PASSED or result.id not in old:
            continue
        for name, after in _worst(result).items():
            before = old[result.id].get(name)
            if before is not None and after.ratio > 0 and after.ratio >= GROWTH * before.ratio:
                found.append(MarginChange(result, before, after))
    return tuple(sorted(found, key=lambda change: -change.after.ratio))


def compare_counts(a: Run, b: Run) -> tuple[CountChange, ...]:
    """Counts without noise that differ, the worse ones first. Times need statistics, and are not judged here."""
    old = {(result.id, m.key): m for result, m in a.measurements() if not m.noisy}
    found = []
    for result, after in b.measurements():
        before = None if after.noisy else old.get((result.id, after.key))
        if before is not None and before.median != after.median:
            found.append(CountChange(result, before, after))
    return tuple(sorted(found, key=lambda change: change.better))


def _turn(old: Result | None, new: Result | None, a: Run, b: Run, *, never: bool) -> Turn | None:
    if new is None:
        assert old is not None
        if never:
            return "never ended"
        if not _asked(b, old, chosen=_chosen(a, b)):
            return "not asked for"
        return _without_judgement(old)
    if old is None:
        if new.outcome is Outcome.FAILED:
            return "fails now"
        if not _asked(a, new, chosen=_chosen(a, b)):
            return "not asked for"
        return "judged now" if new.judged else "neither judged"
    if new.outcome is Outcome.FAILED:
        if old.outcome is not Outcome.FAILED:
            return "fails now"
        return "fails otherwise" if _reason(old) != _reason(new) else None
    if new.outcome is Outcome.PASSED:
        if old.outcome is Outcome.PASSED:
            return None
        return "passes now" if old.outcome is Outcome.FAILED else "judged now"
    if old.outcome in _JUDGED:
        return _without_judgement(old)
    return "neither judged" if old.outcome is not new.outcome else None


def _without_judgement(old: Result) -> Turn:
    if old.outcome is Outcome.FAILED:
        return "failed, and is not judged now"
    return "no longer judged" if old.outcome is Outcome.PASSED else "neither judged"


def _asked(run: Run, result: Result, *, chosen: bool) -> bool:
    """Whether a run like this would have held that check, as far as its invocation tells."""
    asked = run.invocation
    if asked.suites and result.suite not in asked.suites:
        return False
    if chosen and asked.devices and result.device and result.device not in asked.devices:
        return False
    if (
        asked.tier in _TIERS
        and result.tier in _TIERS
        and _TIERS.index(result.tier) > _TIERS.index(asked.tier)
    ):
        return False
    return not asked.keyword


def _chosen(a: Run, b: Run) -> bool:
    """Whether somebody chose the devices of either run: otherwise they are what the machine has, and their lack tells."""
    words = (*a.invocation.argv, *b.invocation.argv)
    return any(word.startswith(("--device", "--gnnbench-device")) for word in words)


def _reason(result: Result) -> tuple[str, str]:
    """Why it failed; reasons that differ in a number only are one."""
    if result.finding is None:
        return ("", "")
    return (
        _NUMBER.sub("#", result.finding.cause or result.finding.summary),
        _NUMBER.sub("#", result.finding.needs),
    )


def _worst(result: Result) -> dict[str, Margin]:
    worst: dict[str, Margin] = {}
    for margin in result.margins:
        if margin.name not in worst or margin.ratio > worst[margin.name].ratio:
            worst[margin.name] = margin
    return worst
