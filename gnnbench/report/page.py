"""What the templates are given: the run, gathered and cut to size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gnnbench.record import Environment, Fact, Margin, Outcome, Result, Run, Verdict
from gnnbench.report.findings import Group, failures, family, unjudged, variant
from gnnbench.report.margins import Margins
from gnnbench.report.measurements import Series
from gnnbench.report.proofs import Row
from gnnbench.report.quantity import quantity
from gnnbench.report.text import one_line

#: Characters of a list that stands in one line, and of one item that may stand beside others.
_LINE, _WORD = 60, 24
_LARGEST = 10**300
_HEADINGS = {"cuda": "CUDA", "gpu": "GPU", "nccl": "NCCL", "pyg": "PyG"}


@dataclass(frozen=True, slots=True)
class Check:
    """One check function of a suite with all its variants."""

    name: str
    title: str
    variants: tuple[str, ...]
    counts: Mapping[str, int]
    duration_s: float
    worst: Margin | None


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite in numbers, and its checks."""

    name: str
    counts: Mapping[str, int]
    duration_s: float
    worst: Margin | None
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A run as the templates see it; everything is computed once and cut later."""

    run: Run
    verdict: Verdict
    failed: tuple[Group, ...]
    unjudged: tuple[Group, ...]
    suites: tuple[Suite, ...]
    margins: Margins
    margins_figure: str
    series: tuple[tuple[Series, str], ...]
    """Each with its figure, empty without."""
    chart_note: str
    """Why there are no charts, where there should be."""
    proofs: tuple[Row, ...] = ()
    """The faults that were planted, in a document of `gnnbench prove`."""

    @property
    def compared_series(self) -> tuple[tuple[Series, str], ...]:
        """The series with more than one row, each with its figure."""
        return tuple(pair for pair in self.series if len(pair[0].rows) > 1)

    @property
    def single_series(self) -> tuple[Series, ...]:
        """The series of one row: they share a table."""
        return tuple(series for series, _ in self.series if len(series.rows) == 1)

    @property
    def counts(self) -> dict[str, int]:
        """How many checks ended in each way."""
        return {outcome.value: self.run.count(outcome) for outcome in Outcome}

    @property
    def shown_outcomes(self) -> list[str]:
        """Passed and failed, and whatever else there is: a column of nothing but zeros says nothing."""
        return [name for name, count in self.counts.items() if count or name in ("passed", "failed")]

    @property
    def fact_groups(self) -> dict[str, FactGroup]:
        """The facts of the environment under their headings."""
        groups: dict[str, FactGroup] = {}
        for fact in self.run.environment.facts.values():
            name = one_line(fact.group).replace("_", " ") or "other"
            group = groups.setdefault(_HEADINGS.get(name, name), FactGroup([], []))
            nothing = not fact.error and (fact.value is None or fact.value in ([], {}))
            (group.absent if nothing else group.told).append(fact)
        return groups


class FactGroup(NamedTuple):
    """Facts under one heading."""

    told: list[Fact]
    """With a value, or a reason why it is not known."""
    absent: list[Fact]
    """Of which the machine has none: twenty rows about GPUs say no more than one where there is no GPU."""


def failed_groups(verdict: Verdict) -> tuple[Group, ...]:
    """The failed checks of a verdict, grouped, worst first."""
    return failures(result for result in verdict.findings if result.outcome is Outcome.FAILED)


def unjudged_groups(run: Run) -> tuple[Group, ...]:
    """The checks that did not judge, grouped by reason."""
    return unjudged(run)


def suites_of(run: Run) -> tuple[Suite, ...]:
    """The suites of a run with their check functions, in the order they ran."""
    suites = []
    for name in run.suites:
        results = [result for result in run.results if result.suite == name]
        families: dict[str, list[Result]] = {}
        for result in results:
            families.setdefault(family(result), []).append(result)
        checks = tuple(_check(key, members) for key, members in families.items())
        suites.append(Suite(name, _counts(results), _time(results), _worst(results), checks))
    return tuple(suites)


def value_text(fact: Fact) -> str:
    """The value of a fact in words; every kind of JSON value has some."""
    return _text(fact.value, fact.unit)


def has_comparable(environment: Environment) -> bool:
    """Whether any fact must agree between runs."""
    return any(fact.comparable for fact in environment.facts.values())


def _check(name: str, results: list[Result]) -> Check:
    variants = tuple(
        f"{variant(r)} · {r.device}" if r.device and variant(r) else variant(r) or r.device or ""
        for r in results
    )
    title = next((r.title for r in results if r.title), "")
    return Check(name, title, variants, _counts(results), _time(results), _worst(results))


def _counts(results: list[Result]) -> dict[str, int]:
    return {outcome.value: sum(r.outcome is outcome for r in results) for outcome in Outcome}


def _time(results: list[Result]) -> float:
    return sum(result.duration_s for result in results)


def _worst(results: list[Result]) -> Margin | None:
    margins = (margin for result in results for margin in result.margins)
    return max(margins, key=lambda margin: margin.ratio, default=None)


def _text(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        # A version or a limit in no unit is shown as it is: 1048576, not 1.05 million. So is what no float can hold.
        if unit and abs(value) < _LARGEST:
            return quantity(float(value), unit)
        return f"{value:,}" if isinstance(value, float) else str(value)
    if isinstance(value, str):
        # `unlimited` is said of bytes and of files alike.
        return value
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list):
        items = [_text(item, unit) for item in value]
        simple = all(not isinstance(item, (list, dict)) for item in value)
        together = sum(map(len, items)) <= _LINE or max(map(len, items)) <= _WORD
        return (", " if together else "\n").join(items) if simple else _json(value)
    if isinstance(value, Mapping):
        simple = all(not isinstance(item, (list, dict)) for item in value.values())
        lines = (f"{key}: {_text(item, unit)}" for key, item in value.items())
        return "\n".join(lines) if simple else _json(value)
    return str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)
