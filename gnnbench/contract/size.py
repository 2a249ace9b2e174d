"""Amounts of memory as people write them."""

from __future__ import annotations

import math
import re

UNLIMITED = "unlimited"

_UNITS = {"B": 0, "KiB": 1, "MiB": 2, "GiB": 3, "TiB": 4}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]iB|B)")


def parse_size(text: str) -> int:
    """Bytes of `1 GiB`, `512 MiB`, `1.5 TiB`; raises `ValueError` for anything else, GB among it.

    To docker `1g` is 2^30 and to disks 10^9: only the units that can't be mistaken are taken.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected a size such as 1 GiB or 512 MiB, found {text!r}")
    if (count := float(match[1]) * 1024 ** _UNITS[match[2]]) == math.inf:
        raise ValueError(
            f"expected a size such as 1 GiB or 512 MiB, found a number of {len(match[1])} digits"
        )
    return int(count)


def size_text(count: float) -> str:
    """`64 MiB`, exact where it is a whole number of some unit, else to two decimals."""
    for unit, power in reversed(_UNITS.items()):
        if count >= 1024**power:
            number = count / 1024**power
            return f"{number:g} {unit}" if number == round(number, 2) else f"{number:.2f} {unit}"
    return f"{count:g} B"


def rounded_down(count: int) -> str:
    """The largest whole number of the unit that suits it: what is asked for must not be more than there was."""
    for unit, power in reversed(_UNITS.items()):
        if count >= 1024**power:
            return f"{count // 1024**power} {unit}"
    return "0 B"
