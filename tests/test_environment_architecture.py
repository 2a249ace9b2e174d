"""gnnbench.environment.architecture: which GPUs a CUDA binary runs on."""

import pytest

from gnnbench.environment import Support, compat

WHEEL = ["sm_70", "sm_75", "sm_80", "sm_86", "sm_90", "compute_90"]


@pytest.mark.parametrize(
    ("arch_list", "capability", "support", "via"),
    [
        (WHEEL, (8, 0), Support.NATIVE, "sm_80"),
        (WHEEL, (8, 9), Support.BINARY, "sm_80"),  # F28: an L40S on sm_80 or sm_86 machine code
        (WHEEL, (9, 0), Support.NATIVE, "sm_90"),
        (WHEEL, (10, 0), Support.PTX, "compute_90"),
        (WHEEL, (12, 0), Support.PTX, "compute_90"),
        (WHEEL, (6, 1), Support.NONE, ""),
        (["sm_80", "sm_90"], (12, 0), Support.NONE, ""),
        (["sm_90a"], (9, 0), Support.NATIVE, "sm_90a"),
        (["sm_90a"], (10, 0), Support.NONE, ""),
        (["sm_100f"], (10, 3), Support.BINARY, "sm_100f"),
        (["compute_90a"], (10, 0), Support.NONE, ""),
        (["sm_86"], (8, 0), Support.NONE, ""),
        (["sm_80"], (8, 7), Support.NONE, ""),  # Jetson does not run its discrete cousins' code
        ([], (8, 0), Support.NONE, ""),
    ],
)
def test_compat(arch_list, capability, support, via):
    """The rules of binary and PTX compatibility, entry by entry."""
    found = compat(arch_list, capability)

    assert found.support is support
    assert found.via == via


def test_unknown_spelling():
    """What is spelt otherwise is refused, not taken for no support."""
    with pytest.raises(ValueError, match=r"expected an architecture such as sm_90 .* found 'gfx942'"):
        compat(["gfx942"], (9, 0))
