"""Versions of symbols that compiled files need, GLIBC_2.34 and GLIBCXX_3.4.30, against the libraries they would get."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from gnnbench.environment.audit.elf import ElfError
from gnnbench.environment.audit.inventory import CompiledFile, Inventory
from gnnbench.environment.audit.loader import Library


class UnmetVersion(NamedTuple):
    """A version that the library which would be loaded does not define."""

    file: CompiledFile
    version: str
    """`GLIBC_2.34`."""
    library: Library
    newest: str
    """The newest of its kind that the library has: `GLIBC_2.31`; empty where it has none of that kind."""


def unmet_versions(inventory: Inventory) -> list[UnmetVersion]:
    """What the loader refuses with "version `GLIBC_2.34' not found", file by file.

    A library without any versions serves every file: the loader only warns of it.
    """
    found = []
    for file in inventory.readable:
        assert file.elf is not None
        libraries = inventory.closure(file).libraries if file.elf.version_needs else {}
        for library, version in file.elf.version_needs:
            provider = libraries.get(library)
            try:
                offered = frozenset() if provider is None else provider.elf.version_definitions
            except ElfError:
                offered = frozenset()  # it is damaged, and is told of as that
            if provider is not None and offered and version not in offered:
                found.append(UnmetVersion(file, version, provider, _newest(version, offered)))
    return found


def newest_need(inventory: Inventory, kind: str = "GLIBC") -> tuple[str, str]:
    """The newest version of `kind` that any file needs, and the name of one that does; both empty for none."""
    needs = [
        (version_key(version), version, file.name)
        for file in inventory.readable
        if file.elf is not None
        for _, version in file.elf.version_needs
        if version.partition("_")[0] == kind
    ]
    _, version, name = max(needs, default=((), "", ""))
    return version, name


def running_glibc() -> str:
    """The C library of this process, as it calls itself: `glibc 2.36`; empty where it is another one."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""


def version_key(version: str) -> tuple[int, ...]:
    """The numbers in `GLIBC_2.34`, to compare by."""
    return tuple(map(int, re.findall(r"\d+", version.rpartition("_")[2])))


def _newest(version: str, offered: frozenset[str]) -> str:
    kind = version.rpartition("_")[0]
    return max((one for one in offered if one.rpartition("_")[0] == kind), key=version_key, default="")
