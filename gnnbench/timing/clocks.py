"""Clocks that wait for the device before they are read.

Kernels on a GPU are started and not waited for: a plain timer around a call reads how long starting took.
A `Clock` synchronises first. It is called without arguments and returns seconds, so it can stand wherever a
timer does: in `timeit`, and as pytest-benchmark's `timer`.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Protocol

import torch

Work = Callable[[], object]

#: Readings after which a clock that never moved is given up.
_STUCK_AFTER = 1_000_000


class ClockError(RuntimeError):
    """A clock that can't be used: it stands still or runs backwards."""


def _nothing_to_wait_for() -> None:
    """A CPU has finished when the call returns."""


def synchronizer(device: torch.device | str) -> Callable[[], None]:
    """What waits until every kernel started on `device` has finished; for a CPU it does nothing.

    Raises:
        ValueError: where torch has no way to synchronise devices of this type.
    """
    device = torch.device(device)
    if device.type == "cpu":
        return _nothing_to_wait_for
    module = getattr(torch, device.type, None)
    wait = getattr(module, "synchronize", None)
    if wait is None:
        raise ValueError(
            f"expected a device that torch can synchronise (cpu, cuda), found {str(device)!r}: "
            f"torch.{device.type}.synchronize does not exist, so nothing can be timed there"
        )
    return lambda: wait(device)


class Clock:
    """Seconds since an arbitrary moment, read once `device` has finished what it was given.

    Args:
        device: the device to wait for.
        synchronize: what waits for it; torch's own by default.
        now: what is read then, in seconds; `time.perf_counter` by default. Tests pass a fake of both.
    """

    def __init__(
        self,
        device: torch.device | str,
        *,
        synchronize: Callable[[], None] | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.device = torch.device(device)
        self._synchronize = synchronizer(self.device) if synchronize is None else synchronize
        self._now = now
        # pytest-benchmark writes module and name of its timer into its JSON.
        self.__name__ = f"clock({self.device})"

    def __call__(self) -> float:
        """Wait for the device, then read."""
        self._synchronize()
        return self._now()

    def __repr__(self) -> str:
        """As it is made."""
        return self.__name__

    def cost(self, readings: int = 101) -> float:
        """Seconds that one reading takes while the device is idle: the median of `readings`."""
        self()
        stamps = [self() for _ in range(readings + 1)]
        return statistics.median(after - before for before, after in itertools.pairwise(stamps))

    def resolution(self, steps: int = 11) -> float:
        """The smallest step that the clock took in `steps` of them, in seconds.

        Raises:
            ClockError: it stands still, or runs backwards.
        """
        return min(self._step() for _ in range(steps))

    def _step(self) -> float:
        start = self()
        for _ in range(_STUCK_AFTER):
            step = self() - start
            if step < 0:
                raise ClockError(f"{self!r} ran backwards by {-step:.3g} s: its source is not monotonic")
            if step > 0:
                return step
        raise ClockError(
            f"{self!r} did not move in {_STUCK_AFTER:,} readings: time stands still for this process "
            "(libfaketime, a paused virtual machine?)"
        )


def clock(device: torch.device | str) -> Clock:
    """The clock of `device`; raises `ValueError` where torch can't synchronise such a device."""
    return Clock(device)


class Stopwatch(Protocol):
    """Takes the time of a piece of work."""

    def time(self, work: Work, loops: int) -> float:
        """Seconds that `loops` calls of `work` took together, with the device's share."""
        ...

    @property
    def smallest(self) -> float:
        """Seconds below which a reading says nothing: resolution or own cost, whichever is larger."""
        ...


class WallStopwatch:
    """A stopwatch that reads a `Clock` before and after."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._smallest: float | None = None

    @property
    def smallest(self) -> float:
        """Resolution or cost of the clock, whichever is larger, in seconds; taken once."""
        if self._smallest is None:
            self._smallest = max(self.clock.resolution(), self.clock.cost())
        return self._smallest

    def time(self, work: Work, loops: int) -> float:
        """Seconds between two readings with `loops` calls between them."""
        start = self.clock()
        for _ in range(loops):
            work()
        return self.clock() - start


class EventStopwatch:
    """A stopwatch of the GPU itself: the time between two events in the current stream.

    It leaves out what the host does before the first kernel and after the last, so it reads kernels and the
    gaps between them where a `WallStopwatch` reads what a caller waits for.
    """

    #: cudaEventElapsedTime: "a resolution of around 0.5 microseconds" (CUDA Runtime API, Event Management).
    smallest = 0.5e-6

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        if self.device.type != "cuda":
            raise ValueError(f"expected a CUDA device, found {str(self.device)!r}: only streams have events")

    def time(self, work: Work, loops: int) -> float:
        """Seconds that passed in the device's current stream, which must be where `work` runs."""
        with torch.cuda.device(self.device):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            start.record()
            for _ in range(loops):
                work()
            end.record()
            end.synchronize()
            return float(start.elapsed_time(end)) / 1e3
