"""Two documents side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gnnbench.history.change import Change
from gnnbench.history.checks import (
    TURNS,
    CheckChange,
    CountChange,
    MarginChange,
    compare_checks,
    compare_counts,
    compare_margins,
)
from gnnbench.history.consequence import Weight
from gnnbench.history.facts import compare_facts
from gnnbench.record import Run

_ASKED = ("tier", "suites", "devices", "require", "keyword", "data", "targets", "contract")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs from document A to document B, what matters most first."""

    a: Run
    b: Run
    changes: tuple[Change, ...]
    """Facts and packages."""
    checks: tuple[CheckChange, ...]
    margins: tuple[MarginChange, ...]
    counts: tuple[CountChange, ...]
    asked: tuple[Change, ...]
    """How the two runs were made: gnnbench, tier, suites, devices."""
    only_a: tuple[str, ...]
    """Titles of facts that only the first document has recorded: made by another gnnbench. No change of the image."""
    only_b: tuple[str, ...]
    same: int
    """Facts and packages that agree."""

    def with_weight(self, weight: Weight) -> tuple[Change, ...]:
        """The changes of one weight."""
        return tuple(change for change in self.changes if change.weight is weight)

    @property
    def differ(self) -> bool:
        """Whether anything differs that does not differ between two runs of one image on one machine."""
        return (
            any(change.weight is not Weight.PASSING for change in self.changes)
            or any(TURNS[change.turn] is not Weight.PASSING for change in self.checks)
            or any(margin.weight is not Weight.UNKNOWN for margin in self.margins)
            or bool(self.counts)
        )

    @property
    def judged_alike(self) -> bool:
        """Whether every check that both runs were asked for ended alike."""
        return all(TURNS[change.turn] is Weight.PASSING for change in self.checks)


def compare(a: Run, b: Run) -> Difference:
    """Compare two documents. Never raises, whatever they hold."""
    facts = compare_facts(a, b)
    return Difference(
        a=a,
        b=b,
        changes=facts.changes,
        checks=compare_checks(a, b),
        margins=compare_margins(a, b),
        counts=compare_counts(a, b),
        asked=_asked(a, b),
        only_a=facts.only_a,
        only_b=facts.only_b,
        same=facts.same,
    )


def _asked(a: Run, b: Run) -> tuple[Change, ...]:
    pairs: list[tuple[str, Any, Any]] = [
        ("gnnbench", a.gnnbench, b.gnnbench),
        ("state", a.state.value, b.state.value),
    ]
    for name in _ASKED:
        old, new = (getattr(run.invocation, name) for run in (a, b))
        if isinstance(old, tuple):
            old, new = list(old), list(new)
        pairs.append((name, old, new))
    return tuple(
        Change(key=f"invocation.{name}", title=name, before=old, after=new)
        for name, old, new in pairs
        if old != new
    )
