"""Changes in words, the same in every form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gnnbench.history import TURNS, Change, CheckChange, CountChange, Difference, MarginChange, Named, Weight
from gnnbench.record import Fact, Outcome, Result
from gnnbench.report.findings import failures, family, finding_of
from gnnbench.report.headline import machine
from gnnbench.report.page import value_text
from gnnbench.report.quantity import quantity
from gnnbench.report.text import clip, one_line, plural

#: Characters of one value, and entries of one list.
_VALUE, _ENTRIES = 160, 12
#: Characters that are looked through for where two long values part.
_LONGEST = 100_000

#: What is said over the changes of one weight.
MEANING = {
    Weight.BREAKS: "a crash, a hang, a refusal to load or to start, or wrong numbers",
    Weight.RESULTS: "other numbers within their bounds, another outcome of a check, another limit of memory",
    Weight.SPEED: "the same results, sooner or later",
    Weight.UNKNOWN: "nothing that follows is known to gnnbench",
    Weight.PASSING: "not by the image: two runs of one differ in these too",
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """Checks that took the same turn for the same reason."""

    turn: str
    name: str
    results: tuple[Result, ...]
    reason: str
    fix: str

    @property
    def outcome(self) -> Outcome:
        """Whose sign and colour it wears."""
        if self.turn in ("fails now", "never ended", "fails otherwise"):
            return Outcome.FAILED
        return Outcome.PASSED if self.turn in ("passes now", "judged now") else Outcome.INCONCLUSIVE


def headline(difference: Difference) -> tuple[str, str]:
    """The answer and the rest: `("Different", "1 check fails now; 6 changes: 2 can break, ...")`."""
    changes = len(difference.changes)
    counts = [
        f"{count:,} {weight.label}" for weight in Weight if (count := len(difference.with_weight(weight)))
    ]
    told = f"{plural(changes, 'change')}: {', '.join(counts)}" if counts else f"{agreement(difference)} agree"
    if not difference.differ:
        ended = ", and every check that both ran ended alike" if difference.a.results else ""
        return "Same", f"{agreement(difference)} agree{ended}" + (f"; {told}" if counts else "")
    turned = [
        _agree(turn, count)
        for turn in TURNS
        if TURNS[turn] in (Weight.BREAKS, Weight.RESULTS)
        and (count := sum(change.turn == turn for change in difference.checks))
    ]
    counted = len(difference.counts)
    nearer = sum(one.weight is not Weight.UNKNOWN for one in difference.margins)
    turned += (
        [f"{plural(nearer, 'comparison')} much nearer to {'its bound' if nearer == 1 else 'their bounds'}"]
        if nearer
        else []
    )
    turned += [f"{plural(counted, 'count')} {'differs' if counted == 1 else 'differ'}"] if counted else []
    return "Different", "; ".join([*([", ".join(turned)] if turned else []), told])


def agreement(difference: Difference) -> str:
    """`131 facts and packages`."""
    return "1 fact or package" if difference.same == 1 else f"{difference.same:,} facts and packages"


def _agree(turn: str, count: int) -> str:
    """`1 check fails now`, `14 checks fail now`."""
    first, _, rest = turn.partition(" ")
    verb = {"fails": ("fails", "fail"), "passes": ("passes", "pass"), "no": ("is no", "are no")}.get(
        first, (first, first)
    )
    said = f"{verb[count > 1]} {rest}".replace("is not", "is not" if count == 1 else "are not")
    return f"{plural(count, 'check')} {said}"


def sides(difference: Difference) -> tuple[list[str], list[str]]:
    """What each document was made on, in a few words each."""
    return machine(difference.a), machine(difference.b)


def value(change: Change, what: Any) -> str:
    """A value in words, in one line."""
    if what is None:
        if change.key.startswith("packages."):
            return "not installed"
        return "not set" if change.key.startswith("variables.set.") else "none"
    text = value_text(Fact(value=what, title="", group="", unit=change.unit))
    return one_line(clip(text, _VALUE)) or "empty"


def from_to(change: Change) -> str:
    """`2.8.0 → 2.9.0`; for a list what was added and removed."""
    if change.kind == "unreadable":
        known = change.before if change.before is not None else change.after
        return (
            f"{value(change, known)}; {one_line(clip(change.note, _VALUE))}"
            if known is not None
            else change.note
        )
    if change.lists and (change.added or change.removed):
        parts = [f"{word} {_listed(change, items)}" for word, items in _moves(change) if items]
        return "; ".join([change.note, *parts] if change.note else parts)
    if change.lists:
        return "the same entries in another order"
    old, new = value(change, change.before), value(change, change.after)
    return f"{old} → {new}" if old != new else " → ".join(_told_apart(change.before, change.after))


def _told_apart(before: Any, after: Any) -> tuple[str, str]:
    """What looks alike in few digits or in its first letters: every digit, or from where the two part."""
    old, new = (one_line(clip(str(what), _LONGEST)) for what in (before, after))
    start = next(
        (at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other),
        min(len(old), len(new)),
    )
    if start < _VALUE // 2:
        return clip(old, _VALUE), clip(new, _VALUE)
    first, second = (f"… {clip(text[start - _VALUE // 4 :], _VALUE)}" for text in (old, new))
    return first, second


def remark(change: Change) -> str:
    """`up, minor`, and of which of several it is said; empty where there is nothing to say."""
    step = change.step.words if change.step is not None else ""
    return "; ".join(filter(None, (step, places(change.places))))


def places(named: Sequence[str]) -> str:
    """`GPU 0`; `GPUs 0 to 7`; `GPUs 0, 2, 5`."""
    if len(named) < 2:
        return "".join(named)
    noun = named[0].rpartition(" ")[0]
    plural_noun = "entries" if noun == "entry" else f"{noun}s"
    numbers = [int(name.rpartition(" ")[2]) for name in named]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{plural_noun} {numbers[0]} to {numbers[-1]}"
    shown = ", ".join(map(str, numbers[:_ENTRIES]))
    more = f" and {len(numbers) - _ENTRIES} more" if len(numbers) > _ENTRIES else ""
    return f"{plural_noun} {shown}{more}"


def whose(named: Named) -> str:
    """Which document a consequence falls on: `in A`, `in B`; empty where it lies between the two."""
    return "" if named.whose == "both" else f"in {named.whose.upper()}"


def margin_rows(changes: Sequence[MarginChange]) -> tuple[tuple[str, int, MarginChange], ...]:
    """Check function, how many of its comparisons came nearer to their bounds, and the nearest; the nearest first."""
    groups: dict[str, list[MarginChange]] = {}
    for change in changes:
        groups.setdefault(family(change.result), []).append(change)
    return tuple((name, len(members), members[0]) for name, members in groups.items())


def check_rows(changes: Sequence[CheckChange]) -> tuple[CheckRow, ...]:
    """Checks put together: those that fail by their cause, the others by check function and reason."""
    rows: list[CheckRow] = []
    for turn in TURNS:
        members = [change for change in changes if change.turn == turn]
        told = [
            change.result
            for change in members
            if change.after is not None and change.after.finding is not None
        ]
        rows += (
            CheckRow(turn, group.name, group.results, group.finding.summary, group.finding.fix)
            for group in failures(told)
        )
        rows += _by_family(turn, [change for change in members if change.result not in told])
    return tuple(rows)


def _by_family(turn: str, changes: Sequence[CheckChange]) -> Iterator[CheckRow]:
    groups: dict[str, list[Result]] = {}
    for change in changes:
        groups.setdefault(family(change.result), []).append(change.result)
    for name, results in groups.items():
        first = results[0]
        reason = finding_of(first).summary if first.finding is not None else ""
        yield CheckRow(turn, first.id if len(results) == 1 else name, tuple(results), reason, "")


def _moves(change: Change) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    return ("without", change.removed), ("with", change.added)


def _listed(change: Change, items: Sequence[Any]) -> str:
    shown = ", ".join(value(change, item) for item in items[:_ENTRIES])
    return shown + (f" and {len(items) - _ENTRIES:,} more" if len(items) > _ENTRIES else "")


def count_text(change: CountChange) -> str:
    """`8.1 GiB → 9.4 GiB, worse`."""
    old, new = (quantity(m.median, m.unit) for m in (change.before, change.after))
    return f"{old} → {new}, {'better' if change.better else 'worse'}"


def alone(difference: Difference) -> str:
    """How many checks only one of the runs was asked for; empty where there are none."""
    members = [change for change in difference.checks if change.turn == "not asked for"]
    counts = [
        f"{plural(count, 'check')} in {letter} alone"
        for letter, count in (
            ("A", sum(change.after is None for change in members)),
            ("B", sum(change.before is None for change in members)),
        )
        if count
    ]
    return f"{' and '.join(counts)}, as the runs were asked for" if counts else ""
