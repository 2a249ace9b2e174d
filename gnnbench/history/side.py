"""One of the two documents, as conditions ask it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from gnnbench.record import Fact, Run

PACKAGES, DEVICES = "packages", "devices"
#: How limits write that there is none.
UNLIMITED = "unlimited"


class Side:
    """Facts and packages of one document by one kind of key.

    Keys are those of the facts, `limits.shm_size`; an entry of a fact that has several, `variables.set.OMP_NUM_THREADS`,
    `pyg.flags.WITH_TORCH_SPARSE`; a field of each GPU, `hardware.gpus.power_limit_w`, `devices.model`; a distribution,
    `packages.numpy`.
    A document may hold any JSON value in any place: what does not fit is as good as absent, and nothing here raises.
    """

    def __init__(self, run: Run) -> None:
        self._facts: Mapping[str, Fact] = run.environment.facts
        self._devices = [device for device in run.environment.devices if device.kind != "cpu"]
        self.packages: dict[str, str] = {
            canonical(name): version for name, version in run.environment.packages.items()
        }

    def value(self, key: str) -> Any:
        """The value; None where there is none, where it could not be read, and where it was not recorded."""
        group, _, name = key.partition(".")
        if group == PACKAGES and name in self.packages:
            return self.packages[name]
        if group == DEVICES:
            return [getattr(device, name, None) for device in self._devices]
        name, _, rest = name.partition(".")
        fact = self._facts.get(f"{group}.{name}")
        if fact is None:
            return None
        return _descend(fact.value, rest) if rest else fact.value

    def text(self, key: str) -> str:
        """The value where it is text, else empty."""
        value = self.value(key)
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> list[str]:
        """The texts in a list; the names, in a mapping."""
        value = self.value(key)
        return [item for item in value if isinstance(item, str)] if isinstance(value, (list, dict)) else []

    def capabilities(self) -> list[str]:
        """Compute capabilities of the GPUs in use, `9.0`."""
        return [device.capability for device in self._devices if device.capability]

    def numbers(self, key: str) -> list[float]:
        """The numbers that are there: of each GPU, or the one. `unlimited` is infinite."""
        value = self.value(key)
        found = (number(item) for item in (value if isinstance(value, list) else [value]))
        return [item for item in found if item is not None]


def canonical(name: str) -> str:
    """A distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def number(value: Any) -> float | None:
    """A number of a document; None for anything else, for NaN too."""
    if value == UNLIMITED:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return None if math.isnan(found) else found


def _descend(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, list):
        return [item.get(name) for item in value if isinstance(item, Mapping)]
    return None
