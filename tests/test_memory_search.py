"""The search for the largest size that passes, against allocators made of numbers."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnnbench.memory import find_largest


@dataclass(frozen=True)
class Answer:
    survived: bool


def limit(at):
    """An allocator that has room for `at` and no more."""
    return lambda size: Answer(size <= at)


@given(
    at=st.integers(1, 10**9),
    start=st.integers(1, 10**9),
    resolution=st.sampled_from([0.3, 0.05, 0.01, 1e-9]),
    factor=st.sampled_from([1.05, 1.5, 2.0]),
)
def test_the_limit_is_bracketed(at, start, resolution, factor):
    """Wherever the limit and the start are, both ends are right and as close as was asked for."""
    found = find_largest(
        limit(at), start=start, largest=2 * 10**9, resolution=resolution, first_factor=factor, most_probes=100
    )

    assert found.largest_passed <= at < found.smallest_failed
    assert found.smallest_failed - found.largest_passed <= max(1, resolution * found.largest_passed)
    assert not found.violations
    assert not found.exhausted
    assert not found.capped


def test_a_good_prediction_needs_few_probes():
    """From 2 % below the limit a bracket of 1 % takes at most 6 probes, the confirmation included."""
    found = find_largest(limit(100_000), start=98_000, largest=10**7, resolution=0.01, first_factor=1.03)

    assert len(found.probes) <= 6
    assert found.width <= 0.01


def test_a_cold_start_needs_no_more_than_doubling_and_halving():
    """From a hundredth of the limit: eight sizes a factor 2 apart, seven halvings, one confirmation."""
    found = find_largest(limit(100_000), start=1_000, largest=10**7, resolution=0.01)

    assert len(found.probes) <= 16


def test_nothing_fits():
    """Where the smallest size fails there is no largest, and the search ends."""
    found = find_largest(limit(0), start=1000, largest=10**6)

    assert found.largest_passed is None
    assert found.smallest_failed == 1
    assert not found.exhausted


def test_everything_fits():
    """Where the largest size allowed passes, the limit is said to be higher, and no end is invented."""
    found = find_largest(limit(10**9), start=100, largest=10_000)

    assert found.capped
    assert found.largest_passed == 10_000
    assert found.smallest_failed is None


def test_no_size_is_tried_beyond_the_largest():
    """The cap is kept, whatever the growth."""
    tried = []

    def probe(size):
        tried.append(size)
        return Answer(size < 9_000)

    find_largest(probe, start=700, largest=9_500)

    assert max(tried) == 9_500


def test_a_failure_that_sticks_is_reported():
    """An allocator that refuses everything after its first refusal contradicts itself (F52)."""
    failed = []

    def probe(size):
        if size > 1_000:
            failed.append(size)
        return Answer(not failed)

    found = find_largest(probe, start=900, largest=10**6, resolution=0.05)

    assert found.violations
    bad, good = found.violations[0]
    assert bad.size <= good.size
    assert found.largest_passed is None or found.largest_passed < found.smallest_failed
    assert not bad.verdict.survived
    assert good.verdict.survived


@given(at=st.integers(1, 10**6), start=st.integers(1, 10**6))
def test_no_size_is_tried_that_is_far_beyond_the_limit(at, start):
    """Beyond the start, nothing is tried that is more than twice what has passed: the host's safety."""
    tried = []

    def probe(size):
        tried.append(size)
        return Answer(size <= at)

    find_largest(probe, start=start, largest=10**9)

    assert max(tried) <= max(start, 2 * at)


def test_memory_lost_from_probe_to_probe_is_reported():
    """A leak makes the last probe, which is smaller than one that passed, fail (F11)."""
    lost = []

    def probe(size):
        lost.append(60)
        return Answer(size + sum(lost) <= 1_000)

    assert find_largest(probe, start=600, largest=10**6, resolution=0.01).violations


def test_a_limit_that_jitters_within_the_resolution_is_no_contradiction():
    """A size at the very edge that passes once and fails once is chance, not a finding."""
    calls = []

    def probe(size):
        calls.append(size)
        return Answer(size <= 1_000 + (3 if len(calls) % 2 else -3))

    assert not find_largest(probe, start=900, largest=10**6, resolution=0.05).violations


def test_an_island_of_failure_is_reported():
    """Sizes that fail below one that passes are a contradiction."""

    def probe(size):
        return Answer(size <= 1_000 and not 880 <= size <= 960)

    found = find_largest(probe, start=970, largest=10**6, resolution=0.05, first_factor=1.1)

    assert found.violations


def test_probes_are_bounded():
    """A search that may not try often enough says that its bracket is too wide."""
    found = find_largest(limit(123_456), start=10, largest=10**9, resolution=1e-6, most_probes=20)

    assert len(found.probes) <= 20
    assert found.exhausted
    assert found.largest_passed <= 123_456 < found.smallest_failed


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"smallest": 0, "largest": 5}, "smallest=0"),
        ({"smallest": 7, "largest": 5}, "largest=5"),
        ({"largest": 5, "resolution": 0.0}, "resolution=0.0"),
        ({"largest": 5, "first_factor": 1.0}, "first_factor=1.0"),
        ({"largest": 5, "most_probes": 1}, "most_probes=1"),
    ],
)
def test_nonsense_is_refused(wrong, named):
    """Sizes, resolutions and counts out of range are named."""
    with pytest.raises(ValueError, match=named):
        find_largest(limit(3), start=1, **wrong)
