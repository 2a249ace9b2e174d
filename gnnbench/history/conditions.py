"""When a consequence holds: small questions to the document that may suffer it, as against the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gnnbench.history.side import Side, number
from gnnbench.history.version import Part, release, step

#: (the document that is asked about, the other one, the key that changed) → whether it suffers the consequence.
#: Asked both ways round: what holds both ways lies between the two, and neither is at fault.
Condition = Callable[[Side, Side, str], bool]

_NOTHING: tuple[object, ...] = (None, "", [], {}, False)
_PARTS: tuple[Part, ...] = ("major", "minor", "patch", "build")


def changed(_mine: Side, _other: Side, _key: str) -> bool:
    """Any change at all, whichever way."""
    return True


def lacks(mine: Side, other: Side, key: str) -> bool:
    """This one has none of it, and the other has."""
    return mine.value(key) in _NOTHING and other.value(key) not in _NOTHING


def has(mine: Side, _other: Side, key: str) -> bool:
    """This one has it. Where both have it and differ, it holds for both."""
    return mine.value(key) not in _NOTHING


def gained(mine: Side, other: Side, key: str) -> bool:
    """This one has it, and the other has none."""
    return lacks(other, mine, key)


def flagged(mine: Side, other: Side, key: str) -> bool:
    """It is raised here, of any GPU, and not there: true, or a list that is not empty."""

    def raised(side: Side) -> bool:
        value = side.value(key)
        entries = value if isinstance(value, list) else [value]
        return any(entry is True or (isinstance(entry, list) and bool(entry)) for entry in entries)

    return raised(mine) and not raised(other)


def off(mine: Side, other: Side, key: str) -> bool:
    """A mode is off here, of any GPU; there it is on, and off nowhere."""

    def modes(side: Side) -> set[bool]:
        value = side.value(key)
        entries = value if isinstance(value, list) else [value]
        # NVML says 0 and 1.
        return {bool(entry) for entry in entries if isinstance(entry, (bool, int))}

    return False in modes(mine) and modes(other) == {True}


def fewer_in_all(mine: Side, other: Side, key: str) -> bool:
    """The numbers in this one's mapping, or what is true in its rows, are fewer than in the other's."""
    ours, theirs = (sum(_numbers_in(side.value(key))) for side in (mine, other))
    return mine.value(key) is not None and ours < theirs


def lesser(mine: Side, other: Side, key: str) -> bool:
    """The least of this one's versions, such as compute capabilities, is below the least of the other's."""
    ours, theirs = ([found for text in side.texts(key) if (found := release(text))] for side in (mine, other))
    return bool(ours) and bool(theirs) and min(ours) < min(theirs)


def lower(mine: Side, other: Side, key: str) -> bool:
    """The least of this one's numbers is below the least of the other's."""
    ours, theirs = mine.numbers(key), other.numbers(key)
    return bool(ours) and bool(theirs) and min(ours) < min(theirs)


def higher(mine: Side, other: Side, key: str) -> bool:
    """The largest of this one's numbers is above the largest of the other's."""
    ours, theirs = mine.numbers(key), other.numbers(key)
    return bool(ours) and bool(theirs) and max(ours) > max(theirs)


def below(bound: float) -> Condition:
    """This one's number is below `bound`, and the other's is not."""

    def holds(mine: Side, other: Side, key: str) -> bool:
        ours, theirs = mine.numbers(key), other.numbers(key)
        return bool(ours) and bool(theirs) and min(ours) < bound <= min(theirs)

    return holds


def reads(*values: str) -> Condition:
    """This one's text is one of `values`, in any case, and the other's is not."""

    def holds(mine: Side, other: Side, key: str) -> bool:
        return mine.text(key).lower() in values and other.text(key).lower() not in values

    return holds


def mentions(pattern: str) -> Condition:
    """The pattern is found in this one's text and not in the other's."""
    found = re.compile(pattern, re.IGNORECASE)

    def holds(mine: Side, other: Side, key: str) -> bool:
        return bool(found.search(mine.text(key))) and not found.search(other.text(key))

    return holds


def omits(word: str) -> Condition:
    """This one's list in a text, `compute,utility`, is set without `word` or `all`; the other's is not."""

    def without(side: Side, key: str) -> bool:
        words = re.split(r"[\s,]+", side.text(key).lower())
        return any(words) and not {word, "all"} & set(words)

    return lambda mine, other, key: without(mine, key) and not without(other, key)


def fewer(mine: Side, other: Side, key: str) -> bool:
    """This one's list is shorter."""
    ours, theirs = mine.value(key), other.value(key)
    return isinstance(ours, list) and isinstance(theirs, list) and len(ours) < len(theirs)


def others(mine: Side, other: Side, key: str) -> bool:
    """Both have a list, and not of the same things."""
    ours, theirs = set(mine.texts(key)), set(other.texts(key))
    return bool(ours) and bool(theirs) and ours != theirs


def lost_entry(mine: Side, other: Side, key: str) -> bool:
    """This one has a list, and lacks an entry that the other's has."""
    return bool(mine.texts(key)) and not set(mine.texts(key)) >= set(other.texts(key))


def gained_entry(mine: Side, other: Side, key: str) -> bool:
    """This one's list has an entry that the other's lacks."""
    return not set(other.texts(key)) >= set(mine.texts(key))


def stepped(*parts: Part) -> Condition:
    """The version differs first in one of `parts`; whichever way."""

    def holds(mine: Side, other: Side, key: str) -> bool:
        taken = step(other.text(key), mine.text(key))
        return taken is not None and taken.part in parts

    return holds


def older(mine: Side, other: Side, key: str) -> bool:
    """This one's version is the older."""
    taken = step(other.text(key), mine.text(key))
    return taken is not None and taken.direction == "down"


def before(version: str) -> Condition:
    """This one's version is before `version`, and the other's is not."""
    line = release(version)

    def holds(mine: Side, other: Side, key: str) -> bool:
        ours, theirs = release(mine.text(key)), release(other.text(key))
        return bool(ours) and bool(theirs) and ours < line <= theirs

    return holds


def since(version: str) -> Condition:
    """This one's version is `version` or later, and the other's is not."""
    earlier = before(version)
    return lambda mine, other, key: earlier(other, mine, key)


def both(*conditions: Condition) -> Condition:
    """Every one of them."""
    return lambda mine, other, key: all(holds(mine, other, key) for holds in conditions)


def unless(condition: Condition, exception: Condition) -> Condition:
    """The one, where the other does not say more."""
    return lambda mine, other, key: condition(mine, other, key) and not exception(mine, other, key)


def keeps(keys: Iterable[str]) -> Condition:
    """Both have one of the packages `keys`, in the same version."""
    named = tuple(keys)

    def holds(mine: Side, other: Side, _key: str) -> bool:
        return any(mine.text(name) and mine.text(name) == other.text(name) for name in named)

    return holds


def where(key: str, condition: Condition) -> Condition:
    """`condition`, asked of another key than the one that changed."""
    return lambda mine, other, _: condition(mine, other, key)


def alone(state: Callable[[Side], bool]) -> Condition:
    """This document is in that state, and the other is not."""
    return lambda mine, other, _: state(mine) and not state(other)


def _numbers_in(value: Any) -> Iterator[float]:
    """Every number in a value, at any depth; true counts as 1."""
    if isinstance(value, (list, Mapping)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers_in(item)
    elif value is True:
        yield 1.0
    elif (found := number(value)) is not None:
        yield found
