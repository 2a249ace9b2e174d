"""Which GPUs the machine code of a CUDA binary runs on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

#: Integrated GPUs (Jetson). Code built for their discrete cousins of the same major version does not run
#: there, nor the other way round (CUDA C++ Programming Guide, "Binary Compatibility").
_TEGRA = frozenset({(5, 3), (6, 2), (7, 2), (8, 7)})


class Support(str, Enum):
    """How a binary serves a GPU."""

    NATIVE = "native"
    """Machine code for exactly this compute capability."""
    BINARY = "binary"
    """Machine code for an earlier minor version of the same major one."""
    PTX = "ptx"
    """Only through PTX, which the driver compiles at first use: slow to start, and it must be new enough."""
    NONE = "none"
    """Not at all: "no kernel image is available for execution on the device"."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Whether a binary runs on a GPU, and thanks to which entry of its list."""

    support: Support
    via: str = ""
    """`sm_80`, `compute_90`."""


def compat(arch_list: Iterable[str], capability: tuple[int, int]) -> Compatibility:
    """How a binary built for `arch_list` serves a GPU of `capability`.

    `sm_XY` runs on the same major version from minor Y on; `sm_XYa` on X.Y alone; `sm_XYf` within its
    family, which is the same major version from minor Y on; `compute_XY` is PTX and runs on every GPU
    from X.Y on, `compute_XYa` on X.Y alone, `compute_XYf` within its family (CUDA C++ Programming
    Guide, "Compute Capability" and "Application Compatibility").

    Args:
        arch_list: as `torch.cuda.get_arch_list()` gives it: `["sm_80", "sm_90a", "compute_90"]`.
        capability: major and minor, `(9, 0)`.

    Raises:
        ValueError: for an entry that is spelt otherwise.
    """
    best = Compatibility(Support.NONE)
    order = list(Support)
    for entry in arch_list:
        support = _support(entry, capability)
        if order.index(support) < order.index(best.support):
            best = Compatibility(support, entry)
    return best


def capability_of(target: str) -> tuple[int, int]:
    """The compute capability of a target spelt as `gnnbench.checks.target` gives it: `sm_90` → (9, 0)."""
    number = target.removeprefix("sm_")
    return int(number[:-1]), int(number[-1])


def _support(entry: str, capability: tuple[int, int]) -> Support:
    match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", entry)
    if match is None:
        raise ValueError(f"expected an architecture such as sm_90 or compute_90, found {entry!r}")
    kind, built, suffix = match[1], (int(match[2]), int(match[3])), match[4]
    same_family = built[0] == capability[0] and built[1] <= capability[1]
    if suffix == "a":
        runs = built == capability
    elif kind == "compute" and not suffix:
        runs = built <= capability
    else:
        runs = same_family
    if kind == "sm" and built != capability and (built in _TEGRA or capability in _TEGRA):
        runs = False
    if not runs:
        return Support.NONE
    if kind == "compute":
        return Support.PTX
    return Support.NATIVE if built == capability else Support.BINARY
