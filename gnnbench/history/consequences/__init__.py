"""What is known to follow from which change: data, one entry a consequence.

Within a weight, what stands earlier is told earlier. To add an entry, add it to the file of its kind, with who says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from gnnbench.history.consequence import Consequence, Named
from gnnbench.history.consequences.build import BUILD
from gnnbench.history.consequences.cards import CARDS
from gnnbench.history.consequences.collectives import COLLECTIVES
from gnnbench.history.consequences.devices import DEVICES
from gnnbench.history.consequences.libraries import LIBRARIES
from gnnbench.history.consequences.limits import LIMITS
from gnnbench.history.consequences.packages import PACKAGES
from gnnbench.history.consequences.variables import VARIABLES
from gnnbench.history.side import Side

CONSEQUENCES: tuple[Consequence, ...] = (
    *DEVICES,
    *BUILD,
    *LIBRARIES,
    *PACKAGES,
    *CARDS,
    *LIMITS,
    *VARIABLES,
    *COLLECTIVES,
)
_ORDER = {id(consequence): position for position, consequence in enumerate(CONSEQUENCES)}
_EXACT: dict[str, list[Consequence]] = {}
for _one in CONSEQUENCES:
    _EXACT.setdefault(_one.key, []).append(_one)
_PATTERNS = [one for one in CONSEQUENCES if "*" in one.key]


def named(key: str, a: Side, b: Side) -> tuple[Named, ...]:
    """What follows from the change of `key` between two documents, the heaviest first."""
    found = []
    for consequence in (*_EXACT.get(key, ()), *_matching(key)):
        ours, theirs = consequence.holds(b, a, key), consequence.holds(a, b, key)
        if ours or theirs:
            found.append(Named(consequence, "both" if ours and theirs else "b" if ours else "a"))
    return tuple(sorted(found, key=lambda one: (one.weight, one.whose == "a", position(one.consequence))))


def position(consequence: Consequence) -> int:
    """Where it stands among all."""
    return _ORDER[id(consequence)]


def _matching(key: str) -> Iterator[Consequence]:
    return (one for one in _PATTERNS if fnmatchcase(key, one.key))
