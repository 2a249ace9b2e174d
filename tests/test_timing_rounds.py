"""Rounds: the same samples with pytest-benchmark measuring and without."""

from types import SimpleNamespace

import pytest

from gnnbench.timing import VirtualDevice, measured_rounds


class Fixture:
    """pytest-benchmark's fixture in what is used of it, on a clock made of numbers."""

    def __init__(self, timer, *, disabled=False):
        self._timer = timer
        self.disabled = disabled
        self.extra_info = {}
        self.calls = []
        self.stats = SimpleNamespace(stats=SimpleNamespace(data=[]))

    def pedantic(self, target, *, rounds=1, iterations=1):
        self.calls.append((rounds, iterations))
        if self.disabled:
            target()
            return
        for _ in range(rounds):
            start = self._timer()
            for _ in range(iterations):
                target()
            self.stats.stats.data.append((self._timer() - start) / iterations)


@pytest.mark.parametrize("disabled", [False, True])
def test_samples_are_the_same_either_way(disabled):
    """Work of 3 ms is read as 3 ms, in as many samples, whether pytest-benchmark measures or not."""
    device = VirtualDevice()
    clock = device.clock()
    fixture = Fixture(clock, disabled=disabled)

    samples = measured_rounds(fixture, lambda: device.launch(3e-3), clock, rounds=7)

    assert samples.seconds == pytest.approx([3e-3] * 7, rel=0.02)
    assert fixture.calls, "the fixture complains where it is not used"


def test_short_work_is_looped_through_the_fixture_too():
    """The fixture is told how often to call, and its samples are those of one call."""
    device = VirtualDevice(launch_cost=0.0)
    clock = device.clock()
    fixture = Fixture(clock)

    samples = measured_rounds(fixture, lambda: device.compute(1e-6), clock, rounds=3)

    assert fixture.calls == [(3, samples.schedule.loops)]
    assert samples.schedule.loops > 10
    assert samples.seconds == pytest.approx([1e-6] * 3, rel=0.02)


def test_a_fixture_with_another_timer_is_refused():
    """A timer that does not wait for the device would be believed otherwise (F53)."""
    device = VirtualDevice()

    with pytest.raises(ValueError, match="would not wait for the device"):
        measured_rounds(Fixture(device.now), lambda: device.launch(1.0), device.clock(), rounds=3)


def test_one_round_is_refused():
    """One sample is no measurement, through the fixture either."""
    device = VirtualDevice()
    clock = device.clock()

    with pytest.raises(ValueError, match="at least 2 samples"):
        measured_rounds(Fixture(clock), lambda: device.launch(1.0), clock, rounds=1)
