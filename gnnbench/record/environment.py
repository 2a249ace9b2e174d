"""What machine and image a run was made on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing read about machine or image, with all that is needed to show and to compare it.

    The description travels with the value, so that a document made by any version can be rendered by
    any other without the registry that read it.
    """

    value: Any
    """A plain JSON value; None where it could not be read (`error` says why)."""
    title: str
    group: str
    """The heading it stands under: `hardware`, `cuda`, `packages`, `limits`."""
    unit: str = ""
    comparable: bool = False
    """Whether two runs must agree on it for their timings to be comparable."""
    error: str = ""
    rule: str = ""
    """How a contract made from it holds another image to it: `equal`, `at least`, `includes`, `specifier`; empty where
    no contract needs it."""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device that checks ran on."""

    name: str
    """torch's name: `cpu`, `cuda:0`."""
    kind: str
    """`cpu`, `cuda`."""
    model: str
    uuid: str = ""
    """NVML's UUID, the only name on which CUDA and NVML agree."""
    memory_bytes: int | None = None
    capability: str = ""
    """CUDA compute capability as `9.0`."""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Facts by key, the devices, and the installed distributions."""

    facts: Mapping[str, Fact] = field(default_factory=dict)
    devices: tuple[Device, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    """Distribution name → version, for everything installed."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def value(self, key: str) -> Any:
        """The value of fact `key`, or None where it is unknown."""
        fact = self.facts.get(key)
        return None if fact is None else fact.value
