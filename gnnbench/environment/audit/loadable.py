"""Files that can't be loaded here: damaged, for another machine, another Python, or other releases of torch alone."""

from __future__ import annotations

import os
import re
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

from gnnbench.environment.audit.elf import MACHINES
from gnnbench.environment.audit.inventory import CompiledFile, Inventory

#: A text that tells the linker where to look: `libfoo.so` of some development packages.
_LINKER_SCRIPT = re.compile(rb"\s*(/\*|GROUP|INPUT|OUTPUT_FORMAT)")
_OTHER_SYSTEMS = (b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
#: The suffixes that no other Python has: `.cpython-311-x86_64-linux-gnu.so`.
_OWN_SUFFIXES = tuple(
    suffix for suffix in EXTENSION_SUFFIXES if suffix.count(".") > 1 and "abi3" not in suffix
)
_TAGGED = re.compile(r"(?P<module>[^.]+)\.(?P<python>cpython-\d+\w?|pypy\d+-pp\d+)-.+\.so")


class Unloadable(NamedTuple):
    """One file, and why it can't be loaded."""

    file: CompiledFile
    reason: str


def unloadable(inventory: Inventory) -> list[Unloadable]:
    """Every file that Python or torch would load and can't."""
    found = [(file, _why(file) or _other_python(file)) for file in inventory.files]
    return [*(Unloadable(file, reason) for file, reason in found if reason), *_for_other_torches(inventory)]


def _for_other_torches(inventory: Inventory) -> list[Unloadable]:
    """Of files of which there is one for each release of torch: where there is none for the one installed."""
    variants: dict[tuple[Path, str], dict[str, CompiledFile]] = {}
    for file in inventory.files:
        if file.for_torch is not None:
            stem, release = file.for_torch
            variants.setdefault((file.path.parent, stem), {})[release] = file
    if inventory.torch is None:
        return []
    wanted = inventory.torch.release
    return [
        Unloadable(
            list(releases.values())[-1],
            f"one of {len(releases)} for torch {', '.join(sorted(releases))}; there is none for torch {wanted}",
        )
        for releases in variants.values()
        if wanted not in releases
    ]


def _why(file: CompiledFile) -> str:
    ours = file.path.name.endswith(_OWN_SUFFIXES)
    if file.elf is None:
        return "" if _is_meant_otherwise(file) and not ours else file.error
    machine = os.uname().machine
    expected = MACHINES.get(machine)
    names = {number: name for name, number in MACHINES.items()}
    built = names.get(file.elf.machine, f"machine {file.elf.machine}")
    if expected is None or (file.elf.machine == expected and file.elf.bits == 64 and file.elf.little):
        return ""
    # Some packages carry files for several machines, and choose among them.
    return (
        f"built for {built} ({file.elf.bits}-bit), this machine is {machine}"
        if ours or file.with_torch
        else ""
    )


def _is_meant_otherwise(file: CompiledFile) -> bool:
    try:
        with file.path.open("rb") as opened:
            start = opened.read(64)
    except OSError:
        return False
    return start.startswith(_OTHER_SYSTEMS) or _LINKER_SCRIPT.match(start) is not None


def _other_python(file: CompiledFile) -> str:
    """Whether it is a module that only another Python finds, and there is none for this one beside it."""
    tagged = _TAGGED.fullmatch(file.path.name)
    if tagged is None or not file.with_torch or file.path.name.endswith(_OWN_SUFFIXES):
        return ""
    if any(file.path.with_name(tagged["module"] + suffix).exists() for suffix in EXTENSION_SUFFIXES):
        return ""
    return f"built for {tagged['python']}, this Python looks for {tagged['module']}{EXTENSION_SUFFIXES[0]}"
