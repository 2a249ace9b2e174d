"""The clock that every time is read from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import torch

from gnnbench.checks import Evidence, check, fail, inconclusive
from gnnbench.timing import Clock, EventStopwatch, WallStopwatch

#: Seconds of the work whose length is known. Long beside every cost of reading, short beside a run.
_LENGTH = 0.02

#: The kernel slews its clocks by at most this much while it keeps them in step (adjtimex(2): 500 ppm).
_SLEW = 500e-6


@check(
    catches=("F53",),
    fix="do not trust a time of this run: look for libfaketime, for a driver that blocks on "
    "launch, for CUDA_LAUNCH_BLOCKING",
)
def test_waits_for_the_device(device: torch.device, device_clock: Clock, evidence: Evidence) -> None:
    """Work that goes on after its call has returned is read in full."""
    evidence.measure(
        "clock_cost",
        device_clock.cost(),
        unit="s",
        direction="lower",
        device=str(device),
        workload="clock",
    )
    evidence.fact("resolution_seconds", device_clock.resolution())
    if device.type == "cuda":
        _require_waiting_for_kernels(device, device_clock, evidence)
    else:
        _require_waiting_for_thread(device, device_clock, evidence)


def _require_waiting_for_kernels(device: torch.device, device_clock: Clock, evidence: Evidence) -> None:
    """Against the device's own events, around a kernel that spins for a number of cycles."""
    cycles = 1 << 20
    # The only kernel whose length is ours to choose.
    spin: Callable[[int], None] = torch.cuda._sleep  # noqa: SLF001
    with torch.cuda.device(device):
        events = EventStopwatch(device)
        while (truth := events.time(lambda: spin(cycles), 1)) < _LENGTH:  # noqa: B023
            cycles *= 2
        device_clock()
        start = time.perf_counter()
        spin(cycles)
        returned = time.perf_counter() - start
        read = WallStopwatch(device_clock).time(lambda: spin(cycles), 1)
    evidence.fact("seconds", {"by_events": truth, "by_clock": read, "until_the_call_returned": returned})
    # The spinning kernel counts cycles, and clocks may rise while it spins: half is what no boost explains.
    if read < truth / 2:
        fail(
            f"the clock does not wait for {device}",
            expected=f"{truth:.3g} s, as the device's own events read",
            found=f"{read:.3g} s",
            cause="torch.cuda.synchronize returns before the device has finished",
        )
    if returned > truth / 2:
        inconclusive(
            "launching a kernel waits for its end here, so a clock that does not wait "
            "can't be told from one that does",
            expected=f"the call to return at once, and the kernel to take {truth:.3g} s",
            found=f"it returned after {returned:.3g} s",
            fix="unset CUDA_LAUNCH_BLOCKING",
        )


def _require_waiting_for_thread(device: torch.device, device_clock: Clock, evidence: Evidence) -> None:
    """A CPU does nothing by itself, so a thread does, and the clock is held against the kernel's raw one."""
    threads: list[threading.Thread] = []

    def launch() -> None:
        threads.append(threading.Thread(target=time.sleep, args=(_LENGTH,)))
        threads[-1].start()

    def join() -> None:
        for thread in threads:
            thread.join()

    def raw() -> float:
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)

    outer = raw()
    start = device_clock()
    inner = raw()
    launch()
    join()
    inner = raw() - inner
    read = device_clock() - start
    outer = raw() - outer
    evidence.fact("seconds", {"by_clock": read, "at_least": inner, "at_most": outer})
    if not inner * (1 - _SLEW) <= read <= outer * (1 + _SLEW):
        fail(
            "the clock disagrees with the kernel's raw clock",
            expected=f"between {inner:.6g} s and {outer:.6g} s",
            found=f"{read:.6g} s",
            cause="a clock that is intercepted (libfaketime) or scaled (a virtual machine's time source)",
        )
    waiting = Clock(device, synchronize=join)
    read = WallStopwatch(waiting).time(launch, 1)
    if read < _LENGTH * (1 - _SLEW):
        fail(
            "the clock does not wait for work that goes on after its call",
            expected=f"at least {_LENGTH} s",
            found=f"{read:.6g} s",
        )
