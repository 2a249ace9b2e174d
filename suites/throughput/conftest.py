"""pytest-benchmark's fixture with a clock that waits for the device under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from gnnbench.checks import Tier

if TYPE_CHECKING:
    import torch

    from gnnbench.timing import Clock, Samples

Timed = Callable[..., "Samples"]


@pytest.fixture
def device_clock(request: pytest.FixtureRequest, device: torch.device, run_tier: Tier) -> Iterator[Clock]:
    """The device's clock, made the timer of the `benchmark` fixture, which must be set up after this one.

    In smoke a CPU works with one thread while the clock is there: a parallel region ends with its slowest
    thread, and on a machine that does other things besides, that one waits for a time slice of the kernel's,
    many times the work of a small graph. Larger tiers use as many threads as torch does by itself.
    """
    # Not at the top: without torch every file would fail to load here, and none be judged.
    import torch

    from gnnbench.timing import clock

    found = clock(device)
    request.node.add_marker(pytest.mark.benchmark(timer=found))
    threads = torch.get_num_threads()
    if device.type == "cpu" and run_tier is Tier.SMOKE:
        torch.set_num_threads(1)
    yield found
    torch.set_num_threads(threads)


@pytest.fixture
def timed(device_clock: Clock, benchmark: Any) -> Iterator[Timed]:
    """`timed(work, rounds=..., **facts)`: raw samples of `work`, through pytest-benchmark where it measures."""
    from gnnbench.timing import measured_rounds

    used = False

    def time(work: Callable[[], object], *, rounds: int, **facts: Any) -> Samples:
        nonlocal used
        used = True
        benchmark.extra_info.update(facts)
        return measured_rounds(benchmark, work, device_clock, rounds=rounds)

    yield time
    if not used:
        # The check ended before there was anything to time; pytest-benchmark would warn that it was not used.
        benchmark.skipped = True
