"""A device made of numbers: time passes only when it is told to. For tests and planted faults."""

from __future__ import annotations

from gnnbench.timing.clocks import Clock


class VirtualDevice:
    """A device that works on its own while the host goes on, as a GPU does, without a second going by.

    Work that is launched takes `launch_cost` seconds of the host and its own time of the device; the host
    learns that it has ended by `synchronize` alone.
    """

    def __init__(self, *, launch_cost: float = 1e-5, reading_cost: float = 1e-7) -> None:
        self.launch_cost = launch_cost
        self.reading_cost = reading_cost
        self.host = 0.0
        """The host's time, in seconds."""
        self.busy_until = 0.0
        """When the device will have finished, in seconds."""
        self.synchronizations = 0

    def launch(self, seconds: float) -> None:
        """Give the device work of `seconds`, and return without waiting."""
        self.host += self.launch_cost
        self.busy_until = max(self.busy_until, self.host) + seconds

    def compute(self, seconds: float) -> None:
        """Work of the host itself."""
        self.host += seconds

    def synchronize(self) -> None:
        """Wait until the device has finished."""
        self.synchronizations += 1
        self.host = max(self.host, self.busy_until)

    def now(self) -> float:
        """The host's time, in seconds; reading it takes `reading_cost`."""
        self.host += self.reading_cost
        return self.host

    def clock(self, *, synchronizing: bool = True) -> Clock:
        """A `Clock` of this device; with `synchronizing=False`, the faulty one that does not wait (F53)."""
        return Clock("cpu", synchronize=self.synchronize if synchronizing else _do_not_wait, now=self.now)


def _do_not_wait() -> None:
    pass
