"""Symbols that compiled files leave to others: whether anybody defines them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gnnbench.environment.audit.elf import ElfError
from gnnbench.environment.audit.inventory import TORCH_WORDS, CompiledFile, Inventory
from gnnbench.environment.audit.libraries import DRIVER_LIBRARY
from gnnbench.environment.audit.loader import Library

#: The functions of the driver's libraries: `cuInit`, `nvmlInit_v2`; not `cublasCreate`.
_DRIVER_SYMBOL = re.compile(rb"(cu|nvml|cuvid|NvEnc|nvEnc)[A-Z]\w*")
#: std::string as the old C++ ABI of GCC writes it, and the namespace of the new one (GCC manual, "Dual ABI").
_OLD_STRING, _NEW_STRING = re.compile(rb"(?<![a-z])Ss"), b"7__cxx1112basic_string"


class Unresolved(NamedTuple):
    """A file, and the symbols that nobody defines for it."""

    file: CompiledFile
    symbols: tuple[str, ...]
    """As compilers write them, in order; those of torch first."""
    of_torch: bool
    """Whether one of them is in torch's namespaces."""
    old_abi: bool
    """Whether one of them differs from torch's by the C++ ABI that it was compiled with."""


def undefined_symbols(inventory: Inventory) -> list[Unresolved]:
    """Files that refuse to load, for nothing that is loaded with them defines a symbol that they need.

    A symbol may be defined by what is loaded with the file, by Python, by what torch loads, and by a file of the same
    package, for packages load their own files in an order that only they know. Files that lack a library are left
    out: it would have had symbols.
    """
    common = _defined(inventory.loader.loaded.values())
    siblings = defaultdict(list)
    for file in inventory.readable:
        siblings[file.folder, file.package].append(file)
    torch_has_new_abi = any(
        _NEW_STRING in name for name in _names_of(inventory.loader.loaded.get("libc10.so"))
    )
    found = []
    for file in inventory.readable:
        assert file.elf is not None
        closure = inventory.closure(file)
        if any(not DRIVER_LIBRARY.fullmatch(library) for library in closure.missing):
            continue
        open_names: frozenset[bytes] = file.elf.undefined - common
        beside = [
            Library(one.path, one.elf) for one in siblings[file.folder, file.package] if one.elf is not None
        ]
        for library in (*closure.libraries.values(), *beside):
            if not open_names:
                break
            open_names -= _names_of(library)
        if closure.missing:
            open_names = frozenset(name for name in open_names if not _DRIVER_SYMBOL.fullmatch(name))
        if open_names:
            found.append(_unresolved(file, open_names, torch_has_new_abi=torch_has_new_abi))
    return found


def _unresolved(file: CompiledFile, names: frozenset[bytes], *, torch_has_new_abi: bool) -> Unresolved:
    of_torch = {name for name in names if any(word in name for word in TORCH_WORDS)}
    old_abi = any(
        (_OLD_STRING.search(name) is not None and _NEW_STRING not in name)
        if torch_has_new_abi
        else _NEW_STRING in name
        for name in of_torch
    )
    ordered = [*sorted(of_torch), *sorted(names - of_torch)]
    return Unresolved(
        file, tuple(name.decode("utf-8", "replace") for name in ordered), bool(of_torch), old_abi
    )


def _defined(libraries: Iterable[Library]) -> frozenset[bytes]:
    return frozenset().union(*map(_names_of, libraries))


def _names_of(library: Library | None) -> frozenset[bytes]:
    try:
        return frozenset() if library is None else library.elf.defined
    except ElfError:
        return frozenset()  # it is damaged, and is told of as that


def demangle(names: Sequence[str]) -> list[str]:
    """The names as they stand in C++, where c++filt is installed; else as they are."""
    tool = shutil.which("c++filt")
    if tool is None or not names:
        return list(names)
    try:
        ended = subprocess.run(
            [tool], input="\n".join(names), capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return list(names)
    lines = ended.stdout.splitlines()
    return lines if len(lines) == len(names) else list(names)
