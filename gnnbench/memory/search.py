"""The largest size that passes: grow until one fails, then halve the gap. Pure, and torch-free."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Verdict(Protocol):
    """What a probe answers."""

    @property
    def survived(self) -> bool:
        """Whether the size passed."""
        ...


V = TypeVar("V", bound=Verdict)


@dataclass(frozen=True, slots=True)
class Probe(Generic[V]):
    """One size that was tried."""

    size: int
    verdict: V


@dataclass(frozen=True, slots=True)
class Bracket(Generic[V]):
    """Where the limit lies, with everything that was tried, in order."""

    probes: tuple[Probe[V], ...]
    capped: bool = False
    """The search ended at the largest size it was allowed, and that passed: the limit is higher."""
    exhausted: bool = False
    """The search ended because it had used up its probes; the bracket is wider than was asked for."""

    @property
    def largest_passed(self) -> int | None:
        """The largest size that passed below the smallest that failed; None where none did."""
        ceiling = self.smallest_failed
        passed = [p.size for p in self.probes if p.verdict.survived and (ceiling is None or p.size < ceiling)]
        return max(passed, default=None)

    @property
    def smallest_failed(self) -> int | None:
        """The smallest size that failed; None where none did."""
        return min((p.size for p in self.probes if not p.verdict.survived), default=None)

    @property
    def violations(self) -> tuple[tuple[Probe[V], Probe[V]], ...]:
        """Pairs (failed, passed) where a size failed though one as large or larger passed.

        Any pair means that size alone does not decide: memory is lost between probes, a failure sticks, or
        something else uses the device. The bracket then is the pessimistic reading.
        """
        failed = [p for p in self.probes if not p.verdict.survived]
        return tuple(
            (bad, good)
            for bad in failed
            for good in self.probes
            if good.verdict.survived and good.size >= bad.size
        )

    @property
    def width(self) -> float:
        """(smallest failed - largest passed) ÷ largest passed; infinite while one end is missing."""
        low, high = self.largest_passed, self.smallest_failed
        return math.inf if not low or high is None else (high - low) / low


def find_largest(
    probe: Callable[[int], V],
    *,
    start: int,
    smallest: int = 1,
    largest: int,
    resolution: float = 0.05,
    first_factor: float = 2.0,
    most_probes: int = 40,
) -> Bracket[V]:
    """Bracket the largest size that passes.

    From `start` the size grows while probes pass, or shrinks while they fail, by `first_factor`, and from
    step to step by its square, up to 2: near a good prediction the bracket is narrow at once, and far from it
    the search is at most a few probes behind plain doubling. Then the gap is halved, on a logarithmic scale,
    until it is below `resolution`. At the end a size below the bracket by its own width is tried: a search
    that only ever looks inside its bracket can't see that the answers contradict each other
    (`Bracket.violations`), and at its very edge two answers may differ by chance.

    Args:
        probe: says whether a size passes; anything with `survived`.
        start: the first size; best a little below what is predicted.
        smallest: nothing below is tried.
        largest: nothing above is tried.
        resolution: relative width of the bracket to stop at.
        first_factor: of the first step, above 1; small where the prediction is good.
        most_probes: tries in all.

    Raises:
        ValueError: for sizes, a resolution, a factor or a number of probes out of range.
    """
    if not 1 <= smallest <= largest:
        raise ValueError(f"expected 1 <= smallest <= largest, found smallest={smallest}, largest={largest}")
    if not resolution > 0 or not first_factor > 1 or most_probes < 2:
        raise ValueError(
            f"expected resolution > 0, first_factor > 1 and most_probes >= 2, found resolution={resolution}, "
            f"first_factor={first_factor}, most_probes={most_probes}"
        )
    probes: list[Probe[V]] = []

    def survives(size: int) -> bool:
        probes.append(Probe(size, probe(size)))
        return probes[-1].verdict.survived

    def spent(reserve: int = 0) -> bool:
        return len(probes) >= most_probes - reserve

    size = min(max(start, smallest), largest)
    low = high = 0  # the largest that passed and the smallest that failed so far; 0 while there is none
    factor = first_factor
    while not spent(1):
        if survives(size):
            low = size
            if high or size == largest:
                break
            size = min(max(size + 1, int(size * factor)), largest)
        else:
            high = size
            if low or size == smallest:
                break
            size = max(min(size - 1, int(size / factor)), smallest)
        factor = min(factor * factor, 2.0)
    while low and high and high - low > max(1, low * resolution) and not spent(1):
        middle = min(max(round(math.sqrt(low * high)), low + 1), high - 1)
        if survives(middle):
            low = middle
        else:
            high = middle
    if low and high and not spent():
        survives(max(2 * low - high, smallest))
    narrow = bool(low and high) and high - low <= max(1, low * resolution)
    capped = not high and low == largest
    hopeless = not low and high == smallest
    return Bracket(tuple(probes), capped=capped, exhausted=not (narrow or capped or hopeless))
