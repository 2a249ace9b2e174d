"""Versions as people write them: which is newer, and by how much."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from packaging.version import InvalidVersion, Version

Direction = Literal["up", "down", ""]
Part = Literal["major", "minor", "patch", "build", ""]

#: `2.8.0+cu126`, `glibc 2.36`, `6.18.44-fc`: what the version is of, and the version. Nothing with a slash: a path is none.
_VERSION = re.compile(r"([A-Za-z]{1,20} )?(\d+(?:\.\d+)+[\w.+-]*)", re.ASCII)
#: No version has longer numbers, and Python refuses to read numbers of thousands of digits.
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Step:
    """How one version became another."""

    direction: Direction
    """Empty where neither is newer: another build of one release."""
    part: Part
    """The first part in which they differ; empty for numbers that are no versions."""

    @property
    def words(self) -> str:
        """`up, minor`; `another build`."""
        if not self.direction:
            return "another build" if self.part else ""
        return ", ".join(filter(None, (self.direction, self.part)))


def release(text: str) -> tuple[int, ...]:
    """The numbers of a version, `(2, 8, 0)` of `2.8.0+cu126` and `(2, 36)` of `glibc 2.36`; empty for other text."""
    match = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return ()
    numbers = re.match(r"\d+(?:\.\d+)*", match[2], re.ASCII)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def step(before: str, after: str) -> Step | None:
    """How version `before` became `after`; None where either is no version, or they are of different things."""
    if before == after:
        return None
    old, new = (_VERSION.fullmatch(text) if len(text) <= _LONGEST else None for text in (before, after))
    if old is None or new is None or old[1] != new[1]:
        return None
    first, second = release(before), release(after)
    length = max(len(first), len(second))
    # 2.8 and 2.8.0 are one release.
    padded = [numbers + (0,) * (length - len(numbers)) for numbers in (first, second)]
    for index, (one, other) in enumerate(zip(*padded, strict=True)):
        if one != other:
            part: Part = ("major", "minor", "patch")[min(index, 2)]
            return Step("up" if other > one else "down", part)
    return Step(_order(old[2], new[2]), "build")


def _order(before: str, after: str) -> Direction:
    """Which of two builds of one release is newer: a release candidate is older than the release (PEP 440)."""
    try:
        old, new = (Version(text.partition("+")[0]) for text in (before, after))
    except InvalidVersion:
        return ""
    return "" if old == new else "up" if new > old else "down"
