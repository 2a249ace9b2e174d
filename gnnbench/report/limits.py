"""How much of a run a page holds. A page that would be too large is made again with the next limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of each kind; what is beyond is counted in words, never dropped in silence."""

    findings: int
    """Groups of failed or unclear checks shown in full."""
    variants: int
    """Checks listed under one group."""
    rows: int
    """Rows of one table, and tables of one kind."""
    text: int
    """Characters of one text: an id, an expectation, a fact."""
    log: int
    """Characters of one log."""


#: For any run but the very large; then for those; then for those that are also very broken. Even with every
#: character escaped, the last is far below a megabyte.
LADDER = (
    Limits(findings=60, variants=400, rows=400, text=2000, log=6000),
    Limits(findings=30, variants=120, rows=150, text=600, log=2500),
    Limits(findings=12, variants=20, rows=30, text=160, log=600),
)


@dataclass(frozen=True, slots=True)
class Part:
    """The first of some things, and how many more there are."""

    shown: tuple[object, ...]
    more: int


def part(things: Sequence[object], limit: int) -> Part:
    """The first `limit` of `things`."""
    return Part(tuple(things[:limit]), max(len(things) - limit, 0))
