"""Which facts two environments differ in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gnnbench.history.change import Change, Kind
from gnnbench.history.consequences import named
from gnnbench.history.records import PASSING, compare_records, kind_of, same
from gnnbench.history.side import PACKAGES, Side, canonical
from gnnbench.record import Device, Environment, Fact, Run

#: change → the change that says the same, or more, where there is one.
_TOLD_BY = {
    "hardware.gpu_count": "hardware.gpu_models",
    "hardware.gpus.name": "hardware.gpu_models",
    "hardware.capabilities": "hardware.gpus.capability",
    "hardware.gpu_memory": "hardware.gpus.memory_bytes",
    "hardware.persistence": "hardware.gpus.persistence_mode",
    "hardware.mig_devices": "hardware.gpus.mig_uuids",
    **{
        f"hardware.{name}": f"hardware.gpus.{name}"
        for name in (
            *("power_limit", "pcie_width", "pcie_width_max", "pcie_generation", "pcie_generation_max"),
            *("clock_sm_max", "clock_memory_max", "ecc", "mig"),
        )
    },
    "devices.model": "hardware.gpu_models",
    "devices.memory_bytes": "hardware.gpus.memory_bytes",
    "devices.uuid": "hardware.gpus.uuid",
    "devices.capability": "hardware.gpus.capability",
    "cuda.visible_devices": "variables.set.CUDA_VISIBLE_DEVICES",
    "packages.torch": "torch.version",
}
_LIBRARIES = "libraries.mapped"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out of all facts and packages."""

    changes: tuple[Change, ...]
    """Those that matter most first."""
    only_a: tuple[str, ...]
    """Titles of the facts that the second document has not recorded."""
    only_b: tuple[str, ...]
    same: int
    """Facts and packages that agree."""


def compare_facts(a: Run, b: Run) -> Facts:
    """Compare everything that two documents say of machine and image."""
    old, new = a.environment.facts, b.environment.facts
    common = [key for key in {**old, **new} if key in old and key in new]
    # The list of packages tells the same, for every package.
    listed = bool(a.environment.packages) and bool(b.environment.packages)
    facts = [key for key in common if not (listed and key.startswith(f"{PACKAGES}.") and _repeats(key, a, b))]
    changes = [change for key in facts for change in _fact(key, old[key], new[key])]
    if listed:
        changes += _packages(a.environment, b.environment)
    changes += _devices(a.environment, b.environment)
    keys = {change.key for change in changes}
    one, other = Side(a), Side(b)
    told = [
        change if change.kind == "unreadable" else replace(change, consequences=named(change.key, one, other))
        for change in changes
        if _TOLD_BY.get(change.key) not in keys
    ]
    differing = {change.key for change in changes if change.key.startswith(f"{PACKAGES}.")}
    packages = len(set(one.packages) | set(other.packages)) - len(differing) if listed else 0
    return Facts(
        changes=tuple(sorted(told, key=lambda change: change.rank)),
        only_a=tuple(fact.title or key for key, fact in old.items() if key not in new),
        only_b=tuple(fact.title or key for key, fact in new.items() if key not in old),
        same=sum(not any(True for _ in _fact(key, old[key], new[key])) for key in facts) + max(packages, 0),
    )


def _repeats(key: str, a: Run, b: Run) -> bool:
    name = key.partition(".")[2]
    return name == "fingerprint" or any(
        name == canonical(package) for run in (a, b) for package in run.environment.packages
    )


def _fact(key: str, old: Fact, new: Fact) -> Iterator[Change]:
    """The differences of one fact: one, or one of each entry that differs."""
    base = Change(
        key=key,
        title=new.title or old.title or key,
        before=old.value,
        after=new.value,
        unit=new.unit or old.unit,
        comparable=old.comparable or new.comparable,
        passing=key in PASSING,
    )
    if bool(old.error) != bool(new.error):
        which = f"in A: {old.error}" if old.error else f"in B: {new.error}"
        yield replace(base, kind="unreadable", note=f"could not be read {which}")
    elif same(old.value, new.value):
        return
    elif key == _LIBRARIES and isinstance(old.value, list) and isinstance(new.value, list):
        yield _moved(base)
    elif _mappings(old.value, new.value):
        yield from _entries(base, old.value or {}, new.value or {})
    elif _tables(old.value, new.value):
        yield from compare_records(base, old.value or [], new.value or [], "GPU" if "gpu" in key else "entry")
    else:
        yield replace(base, kind=kind_of(old.value, new.value))


def _packages(a: Environment, b: Environment) -> list[Change]:
    old, new = ({canonical(name): version for name, version in e.packages.items()} for e in (a, b))
    changes = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            key = f"{PACKAGES}.{name}"
            comparable = any(key in e.facts and e.facts[key].comparable for e in (a, b))
            changes.append(
                Change(
                    key=key,
                    title=name,
                    before=before,
                    after=after,
                    comparable=comparable,
                    kind=kind_of(before, after),
                )
            )
    return changes


def _devices(a: Environment, b: Environment) -> list[Change]:
    """The devices that checks ran on; the CPU is told of by its facts."""
    old, new = ([_fields_of(device) for device in e.devices if device.kind != "cpu"] for e in (a, b))
    if same(old, new):
        return []
    base = Change(key="devices", title="Device", before=None, after=None, comparable=True)
    return list(compare_records(base, old, new, "GPU"))


def _fields_of(device: Device) -> dict[str, Any]:
    return {
        "model": device.model,
        "memory_bytes": device.memory_bytes,
        "capability": device.capability or None,
        "uuid": device.uuid or None,
    }


def _entries(base: Change, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if (name in old) != (name in new) or not same(before, after):
            kind: Kind = "changed" if name in old and name in new else "removed" if name in old else "added"
            title = name if base.key == "variables.set" else f"{base.title}: {name}"
            # An entry that is there and says nothing is not one that is absent.
            yield replace(
                base,
                key=f"{base.key}.{name}",
                title=title,
                before="" if before is None and name in old else before,
                after="" if after is None and name in new else after,
                kind=kind,
            )


def _moved(base: Change) -> Change:
    """Mapped libraries by the names of their files; those that only lie elsewhere are counted by folder."""
    paths = [[str(item) for item in value] for value in (base.before, base.after)]
    old, new = (Counter(path.rpartition("/")[2] for path in side) for side in paths)
    if old != new:
        return replace(base, before=sorted(old.elements()), after=sorted(new.elements()))
    folders = [sorted({path.rpartition("/")[0] for path in side}) for side in paths]
    note = f"the same {len(paths[0])} files, from other folders"
    return replace(base, before=folders[0], after=folders[1], note=note)


def _mappings(old: Any, new: Any) -> bool:
    return all(value is None or isinstance(value, Mapping) for value in (old, new))


def _tables(old: Any, new: Any) -> bool:
    """Lists of records, of which one may be empty or absent."""
    rows = [row for value in (old, new) for row in (value if isinstance(value, list) else [])]
    return (
        all(value is None or isinstance(value, list) for value in (old, new))
        and bool(rows)
        and all(isinstance(row, Mapping) for row in rows)
    )
