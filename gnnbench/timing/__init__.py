"""Clocks that wait for their device, and raw samples of what they read. Statistics are made elsewhere."""

from gnnbench.timing.clocks import Clock, ClockError, EventStopwatch, Stopwatch, WallStopwatch, clock
from gnnbench.timing.placement import Placement, observe_placement
from gnnbench.timing.rounds import measured_rounds
from gnnbench.timing.sampler import Samples, Schedule, ZeroWorkError, per_second, plan, sample
from gnnbench.timing.virtual import VirtualDevice

__all__ = [
    "Clock",
    "ClockError",
    "EventStopwatch",
    "Placement",
    "Samples",
    "Schedule",
    "Stopwatch",
    "VirtualDevice",
    "WallStopwatch",
    "ZeroWorkError",
    "clock",
    "measured_rounds",
    "observe_placement",
    "per_second",
    "plan",
    "sample",
]
