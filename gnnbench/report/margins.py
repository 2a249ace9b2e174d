"""How close every numeric check came to its bound, gathered by what computed it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gnnbench.record import Margin, Result, Run
from gnnbench.report.findings import family
from gnnbench.report.text import one_line


@dataclass(frozen=True, slots=True)
class Comparison:
    """One margin with the check that took it."""

    result: Result
    margin: Margin


@dataclass(frozen=True, slots=True)
class Strip:
    """All comparisons of one backend; of one check function where no backend is named."""

    name: str
    comparisons: tuple[Comparison, ...]

    @property
    def worst(self) -> Comparison:
        """The comparison nearest to its bound, or furthest beyond it."""
        return max(self.comparisons, key=lambda c: c.margin.ratio)

    @property
    def over(self) -> int:
        """How many are beyond the bound."""
        return sum(not c.margin.passed for c in self.comparisons)

    def worst_of(self, quantity: str) -> Margin | None:
        """The worst margin of one compared quantity, None where it was not compared."""
        margins = (c.margin for c in self.comparisons if c.margin.name == quantity)
        return max(margins, key=lambda margin: margin.ratio, default=None)


@dataclass(frozen=True, slots=True)
class Margins:
    """Every comparison of a run."""

    strips: tuple[Strip, ...]
    """Worst first."""
    quantities: tuple[str, ...]
    """What was compared, the most frequent first."""

    @property
    def count(self) -> int:
        """How many comparisons there are."""
        return sum(len(strip.comparisons) for strip in self.strips)

    @property
    def over(self) -> int:
        """How many are beyond their bounds."""
        return sum(strip.over for strip in self.strips)

    @property
    def several_devices(self) -> bool:
        """Whether the comparisons were made on more than one device."""
        return len({c.result.device for strip in self.strips for c in strip.comparisons}) > 1

    @property
    def exact(self) -> int:
        """How many had to agree bit for bit."""
        return sum(c.margin.bound == 0 for strip in self.strips for c in strip.comparisons)

    @property
    def worst(self) -> Comparison | None:
        """The comparison nearest to its bound of all."""
        return self.strips[0].worst if self.strips else None

    def closest(self, limit: int) -> tuple[Comparison, ...]:
        """The comparisons nearest to their bounds, worst first."""
        everything = [c for strip in self.strips for c in strip.comparisons]
        return tuple(sorted(everything, key=lambda c: -c.margin.ratio)[:limit])


def margins_of(run: Run) -> Margins:
    """Gather the margins of `run` by backend, over all graphs and devices."""
    everything = [Comparison(result, margin) for result in run.results for margin in result.margins]
    inferred = _inferred_backends(everything)
    strips: dict[str, list[Comparison]] = {}
    for comparison in everything:
        name = _source(comparison.result, inferred)
        strips.setdefault(name, []).append(comparison)
    ordered = sorted(
        (Strip(name, tuple(members)) for name, members in strips.items()),
        key=lambda strip: -strip.worst.margin.ratio,
    )
    frequency = Counter(c.margin.name for c in everything)
    return Margins(tuple(ordered), tuple(name for name, _ in frequency.most_common()))


def _source(result: Result, inferred: set[str]) -> str:
    """What computed the numbers: a backend, where one is named, else the check function itself."""
    backend = result.facts.get("backend")
    if isinstance(backend, str) and backend:
        return one_line(backend)
    before = _before_device(result)
    return before if before in inferred else family(result)


def _inferred_backends(everything: list[Comparison]) -> set[str]:
    """Names that stand before the device in the parameters of at least two check functions.

    For documents whose checks name no backend among their facts.
    """
    families: dict[str, set[str]] = {}
    for comparison in everything:
        before = _before_device(comparison.result)
        if before:
            families.setdefault(before, set()).add(family(comparison.result))
    return {name for name, where in families.items() if len(where) > 1}


def _before_device(result: Result) -> str:
    """`pyg_sparse` of `equivalence/bounded/layer[pyg_sparse-cpu-hub]`; empty where there is no such name."""
    parameters = result.id.partition("[")[2].removesuffix("]")
    before, found, _ = f"{parameters}-".partition(f"-{result.device}-")
    return before if result.device and found and before[:1].isalpha() else ""
