"""The GPUs that an image is for: `sm_90`, `9.0`, `H100`."""

from __future__ import annotations

import re

#: GPUs of data centres, by what people call them (developer.nvidia.com/cuda-gpus, read in November 2026).
_NAMES = {
    "p100": (6, 0),
    "v100": (7, 0),
    "t4": (7, 5),
    "a100": (8, 0),
    "a10": (8, 6),
    "a40": (8, 6),
    "l4": (8, 9),
    "l40": (8, 9),
    "l40s": (8, 9),
    "h100": (9, 0),
    "h200": (9, 0),
    "gh200": (9, 0),
    "b200": (10, 0),
    "gb200": (10, 0),
    "b300": (10, 3),
    "gb300": (10, 3),
}


def parse_target(text: str) -> str:
    """One target as `sm_90`, from `sm_90`, `9.0` or the name of a GPU (`H100`), in upper or lower case.

    The suffixes `a` and `f` are left off: they tell code for a GPU from code for its relatives, not GPUs apart.

    Raises:
        ValueError: for anything else.
    """
    word = text.strip().lower()
    number = re.fullmatch(r"sm_?(\d{1,2})(\d)[af]?|(\d{1,2})\.(\d)", word)
    if number is not None:
        major, minor = int(number[1] or number[3]), int(number[2] or number[4])
    elif word in _NAMES:
        major, minor = _NAMES[word]
    else:
        raise ValueError(f"expected a GPU such as sm_90, 9.0 or H100, found {text!r}")
    if major < 5:
        raise ValueError(f"expected a GPU of compute capability 5.0 or newer, as torch needs, found {text!r}")
    return f"sm_{major}{minor}"
