"""Clocks: they wait for the device, know their own cost, and say so when time does not pass."""

import threading
import time

import pytest
import torch

from gnnbench.timing import Clock, ClockError, EventStopwatch, VirtualDevice, WallStopwatch, clock
from gnnbench.timing.clocks import synchronizer


def test_asynchronous_work_is_waited_for():
    """An asynchronous op of 10 ms that an unsynchronised timer reads as 0.01 ms is read as 10 ms (F53)."""
    device = VirtualDevice(launch_cost=1e-5)
    honest, naive = WallStopwatch(device.clock()), WallStopwatch(device.clock(synchronizing=False))

    read = honest.time(lambda: device.launch(10e-3), 1)
    device.synchronize()
    misread = naive.time(lambda: device.launch(10e-3), 1)

    assert read == pytest.approx(10e-3, rel=0.02)
    assert misread < 0.1e-3


def test_work_left_over_from_before_is_not_charged():
    """What the device was still doing when the stopwatch started is not part of the sample."""
    device = VirtualDevice()
    device.launch(5.0)

    read = WallStopwatch(device.clock()).time(lambda: device.launch(1e-3), 1)

    assert read == pytest.approx(1e-3, rel=0.02)


def test_a_real_thread_is_waited_for():
    """The clock calls what it was given to wait with before it reads the time, on a real clock too."""
    running = []

    def launch():
        running.append(threading.Thread(target=time.sleep, args=(0.02,)))
        running[-1].start()

    waiting = Clock("cpu", synchronize=lambda: [thread.join() for thread in running])

    assert WallStopwatch(waiting).time(launch, 1) >= 0.02


def test_cost_is_the_time_of_a_reading():
    """The cost of a clock whose reading takes 3 µs is 3 µs."""
    assert VirtualDevice(reading_cost=3e-6).clock().cost() == pytest.approx(3e-6)


def test_cost_of_the_real_clock_is_small_and_positive():
    """The CPU's clock can be read, and reading it costs something that is far below a millisecond."""
    assert 0 < clock("cpu").cost() < 1e-3


def test_resolution_is_the_smallest_step():
    """A clock that moves in steps of 10 ms has a resolution of 10 ms, however quickly it is read."""
    device = VirtualDevice(reading_cost=1e-3)
    coarse = Clock("cpu", now=lambda: round(device.now() // 0.01) * 0.01)

    assert coarse.resolution() == pytest.approx(0.01)


def test_a_clock_that_stands_still_is_named(monkeypatch):
    """A frozen clock raises instead of looping for ever."""
    monkeypatch.setattr("gnnbench.timing.clocks._STUCK_AFTER", 100)

    with pytest.raises(ClockError, match="did not move in 100 readings"):
        Clock("cpu", now=lambda: 42.0).resolution()


def test_a_clock_that_runs_backwards_is_named():
    """A clock that is not monotonic raises."""
    readings = iter(range(0, -1000, -1))

    with pytest.raises(ClockError, match="ran backwards by 1 s"):
        Clock("cpu", now=lambda: next(readings)).resolution()


def test_a_device_is_synchronised_by_its_own_module(monkeypatch):
    """For `cuda:1` it is torch.cuda.synchronize that is called, with that device."""
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)

    clock("cuda:1")()

    assert waited == [torch.device("cuda:1")]


def test_a_device_that_torch_cannot_wait_for_is_refused():
    """A device type without a synchronize is refused by name rather than timed wrongly."""
    with pytest.raises(ValueError, match=r"torch\.meta\.synchronize does not exist"):
        synchronizer("meta")


def test_events_need_a_stream():
    """CUDA events are refused for a device that has none."""
    with pytest.raises(ValueError, match="expected a CUDA device, found 'cpu'"):
        EventStopwatch("cpu")


def test_the_clock_has_a_name_for_the_json_of_pytest_benchmark():
    """Module and name of the timer, which pytest-benchmark writes down, say what it was."""
    found = clock("cpu")

    assert (found.__module__, found.__name__) == ("gnnbench.timing.clocks", "clock(cpu)")


@pytest.mark.skipif(torch.cuda.device_count() == 0, reason="needs a GPU")
def test_events_and_wall_clock_agree_on_a_gpu():
    """A kernel that spins for a while reads the same by events and by the synchronising clock."""
    device = torch.device("cuda:0")

    def spin():
        torch.cuda._sleep(50_000_000)

    spin()
    by_events, by_clock = EventStopwatch(device).time(spin, 1), WallStopwatch(clock(device)).time(spin, 1)

    assert by_events > 1e-3
    assert by_clock == pytest.approx(by_events, rel=0.1)
