"""The sampler: warm-up, loops, raw samples, and what it refuses."""

import pytest

from gnnbench.timing import Clock, ClockError, VirtualDevice, ZeroWorkError, per_second, plan, sample
from gnnbench.timing.sampler import READINGS_IN_A_SAMPLE


def test_samples_are_the_time_of_one_call():
    """Work of a known length is read within 2 %, whatever the number of loops."""
    device = VirtualDevice()

    taken = sample(lambda: device.launch(3e-3), device.clock(), rounds=5)

    assert taken.seconds == pytest.approx([3e-3] * 5, rel=0.02)


def test_short_work_is_looped_until_the_clock_can_read_it():
    """Work of 1 µs under a clock whose reading costs 1 µs is repeated some thousand times a sample."""
    device = VirtualDevice(launch_cost=0.0, reading_cost=1e-6)

    taken = sample(lambda: device.compute(1e-6), device.clock(), rounds=3)

    assert taken.schedule.loops >= READINGS_IN_A_SAMPLE
    assert taken.seconds == pytest.approx([1e-6] * 3, rel=0.02)


def test_work_below_the_resolution_is_looped():
    """Work of 1 µs is read within 2 % by a clock that only moves every 0.1 ms."""
    device = VirtualDevice(launch_cost=0.0, reading_cost=1e-6)
    coarse = Clock("cpu", synchronize=device.synchronize, now=lambda: int(device.now() / 1e-4) * 1e-4)

    taken = sample(lambda: device.compute(1e-6), coarse, rounds=2)

    assert taken.seconds == pytest.approx([1e-6] * 2, rel=0.02)


def test_long_work_is_not_looped():
    """Work that the clock reads well is called once a sample."""
    device = VirtualDevice()

    assert plan(lambda: device.launch(0.5), device.clock()).loops == 1


def test_slow_first_calls_are_warmed_away():
    """Calls that get faster are warm-up; the samples hold the settled time alone, and the warm-up is kept."""
    device = VirtualDevice(launch_cost=0.0)
    lengths = iter([500.0, 0.5, 0.05, *[0.01] * 1000])

    taken = sample(lambda: device.launch(next(lengths)), device.clock(), rounds=4)

    assert taken.schedule.settled
    assert taken.schedule.warmup[:3] == pytest.approx((500.0, 0.5, 0.05), rel=0.01)
    assert taken.seconds == pytest.approx([0.01] * 4, rel=0.02)


def test_work_that_never_settles_is_said_to_be_unsettled():
    """A warm-up that keeps getting faster ends at its limit, and says that it did not settle."""
    device = VirtualDevice()
    lengths = iter(1.0 / n for n in range(1, 10_000))

    schedule = plan(lambda: device.launch(next(lengths)), device.clock(), most_calls=8, most_seconds=1e9)

    assert not schedule.settled
    assert len(schedule.warmup) == 8


def test_warm_up_ends_at_its_time():
    """Slow work is not warmed up for longer than it was given."""
    device = VirtualDevice()
    lengths = iter(10.0 - n for n in range(9))

    schedule = plan(lambda: device.launch(next(lengths)), device.clock(), most_seconds=15.0)

    assert len(schedule.warmup) == 3


@pytest.mark.parametrize("rounds", [1, 0, -3])
def test_fewer_than_two_samples_are_refused(rounds):
    """One sample shows no spread, so it is no measurement."""
    device = VirtualDevice()

    with pytest.raises(ValueError, match=f"at least 2 samples, found {rounds}"):
        sample(lambda: device.launch(1.0), device.clock(), rounds=rounds)


def test_work_that_does_nothing_is_refused():
    """Work that takes no time at all ends in an error, not in an endless loop or an infinite rate."""
    frozen = VirtualDevice(launch_cost=0.0)
    smallest = 1e-6

    class Stuck:
        def time(self, work, loops):
            work()
            return 0.0

    stopwatch = Stuck()
    stopwatch.smallest = smallest

    with pytest.raises(ClockError, match="Does it do anything"):
        sample(lambda: frozen.compute(0.0), stopwatch)


def test_a_clock_that_runs_backwards_during_a_sample_is_named():
    """A negative sample is an error."""
    device = VirtualDevice()

    def set_back():
        device.host -= 1.0

    with pytest.raises(ClockError, match="ran backwards"):
        sample(set_back, device.clock())


def test_rates_are_amount_by_time():
    """Edges a second, sample by sample, in order."""
    assert per_second(1000, [0.5, 0.25]) == (2000.0, 4000.0)


@pytest.mark.parametrize("edges", [0, -1])
def test_a_rate_of_no_work_is_refused(edges):
    """A graph without edges has no throughput: an error that says so, not a division by zero (F24)."""
    with pytest.raises(ZeroWorkError, match=f"found {edges}"):
        per_second(edges, [1.0, 1.0])


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_rate_over_no_time_is_refused(seconds):
    """Times of zero, below zero or not a number are an error."""
    with pytest.raises(ClockError, match="above 0"):
        per_second(10, [1.0, seconds])
