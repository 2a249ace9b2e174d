"""The same samples through pytest-benchmark's fixture where it measures, and by our sampler where not."""

from __future__ import annotations

from typing import Any, Protocol

from gnnbench.timing.clocks import Clock, Work
from gnnbench.timing.sampler import Samples, plan, require_rounds, sample


class BenchmarkFixture(Protocol):
    """What is used of pytest-benchmark's `benchmark` fixture."""

    disabled: bool
    stats: Any
    extra_info: dict[str, Any]

    def pedantic(self, target: Work, *, rounds: int = 1, iterations: int = 1) -> Any:
        """Call `target` `rounds` times `iterations` times, timed."""
        ...


def measured_rounds(benchmark: BenchmarkFixture, work: Work, clock: Clock, *, rounds: int) -> Samples:
    """Warm `work` up and take `rounds` samples of it, so that they reach pytest-benchmark's table and JSON.

    pytest-benchmark disables itself under pytest-xdist and with `--benchmark-disable`; the samples are then
    taken by our own sampler with the same clock, so that a check ends the same either way.

    Args:
        benchmark: the fixture. Its timer must be `clock`: mark the item with
            `pytest.mark.benchmark(timer=clock)` before the fixture is set up.

    Raises:
        ValueError: fewer than 2 rounds, or the fixture has another timer.
        ClockError: as `plan` and `sample`.
    """
    require_rounds(rounds)
    timer = getattr(benchmark, "_timer", clock)
    if timer is not clock:
        raise ValueError(
            f"expected the benchmark fixture to read {clock!r}, found {timer!r}: it would not wait for "
            "the device. Mark the item with pytest.mark.benchmark(timer=clock) before the fixture is set up."
        )
    schedule = plan(work, clock)
    if benchmark.disabled:
        # Still through the fixture once, which otherwise complains of not having been used.
        benchmark.pedantic(work)
        return sample(work, clock, rounds=rounds, schedule=schedule)
    benchmark.pedantic(work, rounds=rounds, iterations=schedule.loops)
    return Samples(tuple(float(seconds) for seconds in benchmark.stats.stats.data), schedule)
