"""What is known to follow from a change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from gnnbench.history.conditions import Condition

_ISSUE = re.compile(r"([\w.-]+/[\w.-]+)#(\d+)")


class Weight(IntEnum):
    """How much a change is likely to matter; the heaviest first.

    What stops work or falsifies it stands before what makes another answer than before, which may be as right; that
    before what only takes longer; and that before what nothing is known of.
    """

    BREAKS = 0
    """A crash, a hang, a refusal to load or to start, or wrong numbers."""
    RESULTS = 1
    """Other numbers within their bounds, another outcome of a check, another limit of memory."""
    SPEED = 2
    UNKNOWN = 3
    PASSING = 4
    """Differs between two runs of one image on one machine."""

    @property
    def label(self) -> str:
        """As a heading."""
        return _LABELS[self]


_LABELS = {
    Weight.BREAKS: "can break",
    Weight.RESULTS: "can change results",
    Weight.SPEED: "can change speed",
    Weight.UNKNOWN: "of no known consequence",
    Weight.PASSING: "differing from run to run",
}


@dataclass(frozen=True, slots=True)
class Consequence:
    """One thing that is known to follow, with who says so."""

    key: str
    """Of the change that brings it; `*` stands for any letters: `packages.nvidia-cudnn-cu*`."""
    weight: Weight
    holds: Condition
    text: str
    """One or two sentences of the image that suffers it; `code` in backticks."""
    sources: tuple[str, ...]
    """`owner/repository#number` on GitHub, or an address."""


@dataclass(frozen=True, slots=True)
class Named:
    """A consequence, and which of the two documents suffers it."""

    consequence: Consequence
    whose: Literal["a", "b", "both"]
    """`both`: it lies between the two, and neither is at fault."""

    @property
    def weight(self) -> Weight:
        """That of the consequence; where only the first document suffers it, breakage is mended, and results change."""
        weight = self.consequence.weight
        return Weight.RESULTS if self.whose == "a" and weight is Weight.BREAKS else weight


def address(source: str) -> str:
    """Where a source can be read."""
    match = _ISSUE.fullmatch(source)
    return f"https://github.com/{match[1]}/issues/{match[2]}" if match else source


def short(source: str) -> str:
    """A source as a person would cite it: an issue as it is, a page by its host."""
    return source if _ISSUE.fullmatch(source) else source.split("/")[2]
