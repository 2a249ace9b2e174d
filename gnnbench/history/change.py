"""One thing that differs between two documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gnnbench.history.consequence import Named, Weight
from gnnbench.history.consequences import position
from gnnbench.history.side import number
from gnnbench.history.version import Step, step

Kind = Literal["changed", "added", "removed", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A fact, an entry of one, or a package, of which the two documents say different things."""

    key: str
    """As `Side` takes it: `limits.shm_size`, `variables.set.LD_PRELOAD`, `hardware.gpus.power_limit_w`, `packages.numpy`."""
    title: str
    before: Any
    """The value in the first document; None where it has none."""
    after: Any
    unit: str = ""
    kind: Kind = "changed"
    """`unreadable` where either could not be read; `note` then says why."""
    comparable: bool = False
    """Whether timings are comparable only where it agrees."""
    places: tuple[str, ...] = ()
    """Which of several things it is said of: `GPU 0`."""
    note: str = ""
    passing: bool = False
    """Whether it differs between two runs of one image on one machine."""
    consequences: tuple[Named, ...] = ()

    @property
    def weight(self) -> Weight:
        """That of the heaviest consequence."""
        if self.consequences:
            return self.consequences[0].weight
        return Weight.PASSING if self.passing else Weight.UNKNOWN

    @property
    def rank(self) -> tuple[int, bool, int, bool, str]:
        """Sorts by how likely it matters: by weight, what the second document suffers before what it is rid of."""
        if not self.consequences:
            return (self.weight, False, 0, not self.comparable, self.key)
        first = self.consequences[0]
        return (self.weight, first.whose == "a", position(first.consequence), not self.comparable, self.key)

    @property
    def step(self) -> Step | None:
        """Which way and how far, for versions and numbers."""
        if isinstance(self.before, str) and isinstance(self.after, str):
            versions = step(self.before, self.after)
            if versions is not None:
                return versions
        old, new = number(self.before), number(self.after)
        if old is None or new is None or old == new:
            return None
        return Step("up" if new > old else "down", "")

    @property
    def added(self) -> tuple[Any, ...]:
        """Entries of a list that only the second document has."""
        return _without(self.after, self.before)

    @property
    def removed(self) -> tuple[Any, ...]:
        """Entries of a list that only the first document has."""
        return _without(self.before, self.after)

    @property
    def lists(self) -> bool:
        """Whether both values are lists of plain values, of which entries were added or removed."""
        return _simple(self.before) and _simple(self.after)


def _simple(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, (list, Mapping)) for item in value)


def _without(one: Any, other: Any) -> tuple[Any, ...]:
    """What `one` has more of than `other`, in its order; True and 1 are two things."""
    if not _simple(one) or not _simple(other):
        return ()
    spare = Counter((type(item), item) for item in other)
    found = []
    for item in one:
        if spare[type(item), item] > 0:
            spare[type(item), item] -= 1
        else:
            found.append(item)
    return tuple(found)
