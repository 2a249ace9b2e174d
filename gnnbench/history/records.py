"""Lists of records, such as one of each GPU, compared record by record and field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from gnnbench.history.change import Change, Kind

#: What differs between two runs of one image on one machine: what is in use at the moment, how warm it is, and how fast
#: its link is while it idles.
PASSING = frozenset(
    {
        "limits.shm_free",
        "hardware.pcie_generation",
        "hardware.gpus.pcie_generation",
        "hardware.gpus.temperature",
    }
)
#: More ways than this in which a field differs are told as one change of a list.
_APART = 2
_UNITS = {
    "memory_bytes": "B",
    "power_limit": "W",
    "power_default": "W",
    "clock_sm_max": "MHz",
    "clock_memory_max": "MHz",
    "temperature": "°C",
}
_SPELT = {
    "pcie": "PCIe",
    "pci": "PCI",
    "ecc": "ECC",
    "uuid": "UUID",
    "mig": "MIG",
    "uuids": "UUIDs",
    "sm": "SM",
    "bytes": "",
}


def compare_records(base: Change, old: list[Any], new: list[Any], noun: str) -> Iterator[Change]:
    """Differences of lists of records: entry by entry in their order, field by field; alike ones together.

    A field that no record of one side has was not recorded there, and is no difference.
    """
    several = max(len(old), len(new)) > 1
    for name, pairs in _pairs(old, new).items():
        alike: dict[tuple[str, str], list[int]] = {}
        for index, (before, after) in pairs.items():
            alike.setdefault((repr(before), repr(after)), []).append(index)
        key = f"{base.key}.{name}"
        field = replace(
            base,
            key=key,
            title=f"{base.title}: {_words(name)}",
            unit=_UNITS.get(name, ""),
            passing=base.passing or key in PASSING,
        )
        plain = not any(isinstance(value, (list, Mapping)) for pair in pairs.values() for value in pair)
        if len(alike) > _APART and plain:
            yield _together(field, list(pairs.values()))
            continue
        for indices in alike.values():
            before, after = pairs[indices[0]]
            places = tuple(f"{noun} {index}" for index in indices) if several else ()
            yield replace(field, before=before, after=after, kind=kind_of(before, after), places=places)


def _pairs(old: list[Any], new: list[Any]) -> dict[str, dict[int, tuple[Any, Any]]]:
    """Field → place in the list → both values, where they differ."""
    known = [{name for row in rows for name in row} for rows in (old, new)]
    # The place in the list says what `index` says.
    names = [name for row in (*old, *new) for name in row if name != "index"]
    found: dict[str, dict[int, tuple[Any, Any]]] = {}
    for name in dict.fromkeys(names):
        if old and new and not (name in known[0] and name in known[1]):
            continue
        for index in range(max(len(old), len(new))):
            before, after = (rows[index].get(name) if index < len(rows) else None for rows in (old, new))
            if not same(before, after):
                found.setdefault(name, {})[index] = (before, after)
    return found


def _together(field: Change, pairs: list[tuple[Any, Any]]) -> Change:
    """What differs in each record in its own way, as serial numbers do: one change of a list."""
    before, after = ([value for value in values if value is not None] for values in zip(*pairs, strict=True))
    return replace(field, before=before, after=after)


def _words(name: str) -> str:
    """`pcie_width_max` as `PCIe width max`; the unit stands with the value."""
    return " ".join(filter(None, (_SPELT.get(word, word) for word in name.split("_"))))


def kind_of(before: Any, after: Any) -> Kind:
    """Whether it came, went, or is another."""
    return "added" if before is None else "removed" if after is None else "changed"


def same(old: Any, new: Any) -> bool:
    """Equal as JSON is: 1 is not true, and 1.0 is 1."""
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(same(old[name], new[name]) for name in old)
    return bool(old == new)
