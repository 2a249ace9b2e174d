"""What LD_LIBRARY_PATH offers in place of libraries that a package brings or that the system has."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from gnnbench.environment.audit.elf import ElfError, ElfFile


def offered(files: Iterable[Path], library_path: str | None = None) -> dict[str, str]:
    """Name → the file that LD_LIBRARY_PATH offers, for each library that one of `files` needs (DT_NEEDED).

    The loader takes it, unless the file that needs it has a DT_RPATH (ld.so(8)); such a one is rare today.

    Args:
        files: ELF files; others are passed over.
        library_path: by default the variable of this process.
    """
    text = os.environ.get("LD_LIBRARY_PATH", "") if library_path is None else library_path
    folders = [Path(one) for one in text.replace(";", ":").split(":") if one]
    found: dict[str, str] = {}
    for file in files if folders else ():
        try:
            needed = ElfFile.open(file).needed
        except ElfError:
            continue
        for name in needed:
            place = next((folder / name for folder in folders if (folder / name).exists()), None)
            if place is not None:
                found.setdefault(name, str(place))
    return dict(sorted(found.items()))
