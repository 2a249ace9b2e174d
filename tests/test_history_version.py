"""gnnbench.history.version: which of two versions is newer, and by how much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnnbench.history.version import release, step


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("2.8.0", "3.0.0", "up, major"),
        ("2.8.0", "2.9.0", "up, minor"),
        ("2.9.0", "2.10.0", "up, minor"),  # not by the alphabet
        ("2.9.1", "2.9.0", "down, patch"),
        ("570.124.06", "550.54.15", "down, major"),
        ("1.2.3.4", "1.2.3.5", "up, patch"),
        ("2.8.0+cu126", "2.8.0+cpu", "another build"),
        ("2.8", "2.8.0+cpu", "another build"),
        ("2.8", "2.8.1", "up, patch"),
        ("2.9.0rc1", "2.9.0", "up, build"),
        ("2.9.0.dev20260101+cu130", "2.9.0+cu130", "up, build"),
        ("glibc 2.36", "glibc 2.31", "down, minor"),
        ("6.18.44-fc-v657", "6.18.45-fc", "up, patch"),
    ],
)
def test_steps(before, after, words):
    """Numbers are compared as numbers, and builds of one release as PEP 440 has it."""
    assert step(before, after).words == words


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2.8.0", "2.8.0"),
        ("glibc 2.36", "musl 1.2"),
        ("/opt/python3.11/lib", "/opt/python3.12/lib"),
        ("GNU 12", "GNU 13"),
        ("", "1.0"),
        ("1." + "9" * 200, "1.0"),
        ("٣.١", "٣.٢"),
    ],
)
def test_what_is_no_step(before, after):
    """The same, other things, paths, and what nobody calls a version."""
    assert step(before, after) is None


def test_releases():
    """The numbers alone."""
    assert release("2.8.0+cu126") == (2, 8, 0)
    assert release("glibc 2.36") == (2, 36)
    assert release("sm_90") == ()


@given(st.text(max_size=120), st.text(max_size=120))
def test_any_text(before, after):
    """Nothing raises, and the way back is the other way round."""
    there, back = step(before, after), step(after, before)

    assert (there is None) == (back is None)
    if there is not None:
        assert {there.direction, back.direction} in ({"up", "down"}, {""})
        assert there.part == back.part
