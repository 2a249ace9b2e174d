"""Raw samples of how long a piece of work takes: warmed up, long enough to be read, and nothing computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gnnbench.timing.clocks import Clock, ClockError, Stopwatch, WallStopwatch, Work

#: A sample lasts at least this many of the smallest times that the clock can tell, so that reading it twice
#: adds at most 0.1 %.
READINGS_IN_A_SAMPLE = 1000

#: Doublings after which work that takes no time is given up.
_MOST_LOOPS = 1 << 24


class ZeroWorkError(ValueError):
    """A rate was asked for of work that has no extent, such as messages over no edges."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What was found out about a piece of work before it is sampled."""

    loops: int
    """Calls in one sample."""
    warmup: tuple[float, ...]
    """Seconds of each call while warming up, in order: the first holds what only a first call pays."""
    settled: bool
    """Whether the calls had stopped getting faster when the warm-up ended."""
    smallest: float
    """Seconds below which the clock's readings say nothing."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What was read."""

    seconds: tuple[float, ...]
    """Seconds of one call, one number a sample: the time of `loops` calls divided by `loops`."""
    schedule: Schedule


def plan(
    work: Work,
    clock: Clock | Stopwatch,
    *,
    quiet: int = 2,
    most_calls: int = 50,
    most_seconds: float = 5.0,
) -> Schedule:
    """Warm `work` up and find how many calls make a sample that the clock can read.

    Warm is when the last `quiet` calls have brought no new fastest call: memory pools are full, kernels are
    chosen and compiled. The rule needs no threshold, and it ends soon: of n equally distributed calls, the
    chance that one of the last `quiet` is the fastest falls as quiet ÷ n.

    Args:
        quiet: calls in a row without a new fastest.
        most_calls: calls after which the warm-up ends unsettled.
        most_seconds: time of all calls but the first, which may have compiled for minutes, after which it
            ends unsettled; checked between calls.

    Raises:
        ClockError: the work takes no time that the clock can see, however often it is called.
    """
    stopwatch = _stopwatch(clock)
    warmup: list[float] = []
    fastest_at = 0
    settled = False
    while not settled and len(warmup) < most_calls and sum(warmup[1:]) < most_seconds:
        warmup.append(_require_forward(stopwatch.time(work, 1)))
        if warmup[-1] < warmup[fastest_at]:
            fastest_at = len(warmup) - 1
        settled = len(warmup) - 1 - fastest_at >= quiet
    floor = READINGS_IN_A_SAMPLE * stopwatch.smallest
    loops, lasted = 1, min(warmup)
    while lasted < floor:
        # Straight to the length that is due; doubling while too little is known of one call.
        loops = max(2 * loops, min(16 * loops, int(loops * floor / lasted) + 1 if lasted > 0 else 0))
        if loops > _MOST_LOOPS:
            raise ClockError(
                f"the work took no time that can be read: {loops // 2:,} calls in {lasted:.3g} s, where a "
                f"sample needs {floor:.3g} s. Does it do anything?"
            )
        lasted = _require_forward(stopwatch.time(work, loops))
    return Schedule(loops, tuple(warmup), settled, stopwatch.smallest)


def sample(
    work: Work, clock: Clock | Stopwatch, *, rounds: int = 10, schedule: Schedule | None = None
) -> Samples:
    """Take `rounds` samples of `work`.

    Args:
        work: called without arguments; what it returns is thrown away.
        clock: a `Clock`, or a stopwatch such as `EventStopwatch`.
        rounds: samples to take, at least 2: one alone says nothing of how far samples lie apart.
        schedule: what `plan` found; made here where it is None.

    Raises:
        ValueError: fewer than 2 rounds.
        ClockError: the clock stands still or runs backwards, or the work takes no time.
    """
    require_rounds(rounds)
    stopwatch = _stopwatch(clock)
    schedule = plan(work, stopwatch) if schedule is None else schedule
    read = [_require_forward(stopwatch.time(work, schedule.loops)) for _ in range(rounds)]
    return Samples(tuple(seconds / schedule.loops for seconds in read), schedule)


def require_rounds(rounds: int) -> None:
    """Raise `ValueError` for fewer than 2 samples."""
    if rounds < 2:
        raise ValueError(f"rounds: expected at least 2 samples, found {rounds}: one alone shows no spread")


def per_second(amount: int, seconds: Sequence[float]) -> tuple[float, ...]:
    """`amount` ÷ each of `seconds`: edges a second from the edges of one call and the time it took.

    Raises:
        ZeroWorkError: the amount is 0 or less; a rate of no work is not 0 but undefined.
        ClockError: a time is 0 or less.
    """
    if amount <= 0:
        raise ZeroWorkError(
            f"expected work of some extent, found {amount}: nothing a second is no throughput. "
            "Measure the time of a call instead."
        )
    for taken in seconds:
        if not taken > 0:
            raise ClockError(f"expected times above 0, found {taken} s for work of extent {amount}")
    return tuple(amount / taken for taken in seconds)


def _stopwatch(clock: Clock | Stopwatch) -> Stopwatch:
    return WallStopwatch(clock) if isinstance(clock, Clock) else clock


def _require_forward(seconds: float) -> float:
    if seconds < 0:
        raise ClockError(f"the clock ran backwards by {-seconds:.3g} s during a sample: it is not monotonic")
    return seconds
