"""The compiled files that Python can see: found by walking the folders of sys.path, nothing is imported."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: A folder on sys.path that is no site folder may be anything, a home folder too: the search ends somewhere.
_MOST_ENTRIES = 200_000
_SHARED_OBJECT = re.compile(r".*\.so(\.\d+)*", re.ASCII)
_SKIPPED = frozenset({"__pycache__", "node_modules", "include"})


@dataclass(slots=True)
class Search:
    """Paths of compiled files, each with the folder of sys.path that it stands in."""

    paths: list[tuple[Path, Path]] = field(default_factory=list)
    """(folder, path), in the order of the folders and then by path."""
    cut: list[Path] = field(default_factory=list)
    """Folders that hold so much that the search was ended."""


def search(folders: Sequence[Path] | None = None) -> Search:
    """Every `*.so` and `*.so.N` below `folders`; by default below those of sys.path, the standard library left out.

    A folder with distributions in it is searched whole. Of any other one, only packages are: what has an
    `__init__.py` or a compiled file right in it.
    """
    found = Search()
    seen: set[tuple[int, int]] = set()
    for folder in import_folders() if folders is None else folders:
        try:
            state = folder.stat()
            if (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
            tops = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        whole = any(entry.name.endswith((".dist-info", ".egg-info")) for entry in tops)
        paths, left = [], _MOST_ENTRIES
        for entry in tops:
            if _is_file(entry):
                paths.append(Path(entry.path))
            elif _is_folder(entry) and (whole or _is_package(entry.path)):
                for path in _walk(entry.path):
                    left -= 1
                    if path is not None:
                        paths.append(path)
                    if not (left or whole):
                        break
            if not (left or whole):
                found.cut.append(folder)
                break
        found.paths += [(folder, path) for path in sorted(paths)]
    return found


def import_folders() -> list[Path]:
    """The folders of sys.path that packages are installed in.

    Left out are those of the standard library, whose compiled files came with Python, and the folder that this process
    was started in, unless PYTHONPATH names it: `python -m` puts it on sys.path, and what lies there is nobody's package.
    """
    left_out = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    left_out |= {f"{folder}/lib-dynload" for folder in left_out}
    named = {os.path.realpath(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one}
    left_out |= {os.path.realpath(os.curdir)} - named
    return [Path(place) for place in map(os.path.realpath, filter(None, sys.path)) if place not in left_out]


def _walk(top: str) -> Iterator[Path | None]:
    """Compiled files below `top`, and None for every other entry. Links to folders are not followed."""
    stack = [top]
    while stack:
        try:
            entries = list(os.scandir(stack.pop()))
        except OSError:
            continue
        for entry in entries:
            if _is_folder(entry):
                stack.append(entry.path)
                yield None
            else:
                yield Path(entry.path) if _is_file(entry) else None


def _is_file(entry: os.DirEntry[str]) -> bool:
    # A link counts as what it leads to: wheels are sometimes laid out as links into a store.
    return ".so" in entry.name and _SHARED_OBJECT.fullmatch(entry.name) is not None and not entry.is_dir()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return (
        entry.is_dir(follow_symlinks=False) and entry.name not in _SKIPPED and not entry.name.startswith(".")
    )


def _is_package(folder: str) -> bool:
    """Whether it looks like something that is imported, or like the libraries of something that is."""
    if not (os.path.basename(folder).isidentifier() or folder.endswith(".libs")):  # noqa: PTH119
        return False
    try:
        with os.scandir(folder) as entries:
            return any(entry.name == "__init__.py" or _is_file(entry) for entry in entries)
    except OSError:
        return False
