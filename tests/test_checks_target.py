"""gnnbench.checks.target: how people name the GPUs that an image is for."""

import pytest

from gnnbench.checks.target import parse_target
from gnnbench.environment.architecture import capability_of


@pytest.mark.parametrize(
    ("text", "target", "capability"),
    [
        ("sm_90", "sm_90", (9, 0)),
        ("SM90", "sm_90", (9, 0)),
        ("9.0", "sm_90", (9, 0)),
        ("sm_90a", "sm_90", (9, 0)),
        ("sm_100f", "sm_100", (10, 0)),
        ("12.1", "sm_121", (12, 1)),
        ("H100", "sm_90", (9, 0)),
        ("l40s", "sm_89", (8, 9)),
    ],
)
def test_spellings(text, target, capability):
    """Every way to say it is one target, and the target is one compute capability."""
    assert parse_target(text) == target
    assert capability_of(target) == capability


@pytest.mark.parametrize(
    "text", ["", "90", "sm_", "sm_9", "compute_90", "9", "gfx942", "H1000", "sm_90x", "9.0.1"]
)
def test_other_spellings_are_refused(text):
    """The complaint names what is expected, and what was found."""
    with pytest.raises(ValueError, match=r"expected a GPU such as sm_90, 9.0 or H100, found '"):
        parse_target(text)


def test_what_torch_never_served():
    """A GPU that no supported torch runs on is a slip of the pen."""
    with pytest.raises(ValueError, match=r"compute capability 5\.0 or newer, as torch needs, found '3\.5'"):
        parse_target("3.5")
