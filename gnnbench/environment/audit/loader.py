"""Which file the dynamic loader takes for a library's name. Nothing is loaded to find out.

The order is that of ld.so(8) and of glibc's elf/dl-load.c: what is loaded already under that name; DT_RPATH of the file
that asks, of those that asked for it and of the executable, unless the asking file has DT_RUNPATH; LD_LIBRARY_PATH;
DT_RUNPATH; the cache that ldconfig writes; the default folders. Files for another machine are passed over.
"""

from __future__ import annotations

import os
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gnnbench.environment.audit.elf import MACHINES, ElfError, ElfFile

_CACHE = Path("/etc/ld.so.cache")
#: Header and entry of glibc's sysdeps/generic/dl-cache.h, "new" format.
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER, _CACHE_ENTRY = struct.Struct("<20sII20x"), struct.Struct("<iIIIQ")
_DEFAULT_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """A file that the loader has taken, and on whose behalf."""

    path: Path
    elf: ElfFile
    asked_by: Library | None = None

    @property
    def name(self) -> str:
        """By which others ask for it."""
        return self.elf.soname or self.path.name


@dataclass(frozen=True, slots=True)
class Closure:
    """A file and everything that is loaded with it."""

    libraries: Mapping[str, Library]
    """By the name that was asked for; the file itself is not among them."""
    missing: Mapping[str, str]
    """Name of a library that is not found → name of the file that needs it."""


@dataclass(slots=True)
class Loader:
    """Finds libraries, and remembers the files that it has read.

    Args:
        executable: of the process into which things are loaded.
        library_path: LD_LIBRARY_PATH.
        cache: name → paths, of ldconfig.
        folders: searched after that.
        beside: name → path, taken where nothing else is found: packages load libraries of their own, and of NVIDIA's
            wheels, by path before what needs them.
        machine: e_machine of what can be loaded.
    """

    executable: Path = field(default_factory=lambda: Path(os.path.realpath(sys.executable)))
    library_path: str = field(default_factory=lambda: os.environ.get("LD_LIBRARY_PATH", ""))
    cache: Mapping[str, tuple[Path, ...]] = field(default_factory=lambda: read_cache())
    folders: tuple[str, ...] = _DEFAULT_FOLDERS
    beside: Mapping[str, Path] = field(default_factory=dict)
    machine: int | None = field(default_factory=lambda: MACHINES.get(os.uname().machine))
    loaded: dict[str, Library] = field(default_factory=dict)
    """What every file finds already there: the executable's libraries, and those added with `preload`."""
    _files: dict[Path, ElfFile | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        main = self.open(self.executable)
        if main is not None:
            self.preload(Library(self.executable, main))

    def preload(self, library: Library) -> Closure:
        """Add a file, and all that it needs, to what is there already."""
        closure = self.closure(library)
        for name, one in {**closure.libraries, library.name: library}.items():
            self.loaded.setdefault(name, one)
            self.loaded.setdefault(one.name, one)
        return closure

    def closure(self, library: Library) -> Closure:
        """Everything that is loaded with `library`, breadth first, as the loader does it."""
        found: dict[str, Library] = {}
        missing: dict[str, str] = {}
        queue = [library]
        for asking in queue:
            for name in asking.elf.needed:
                if name in found or name in missing:
                    continue
                known = self.loaded.get(name) or next((o for o in found.values() if o.name == name), None)
                one = known or self.find(name, asking)
                if one is None:
                    missing[name] = asking.path.name
                    continue
                found[name] = one
                queue.append(one)
        return Closure(found, missing)

    def find(self, name: str, asking: Library) -> Library | None:
        """The file that `asking` gets for `name`, or None where there is none."""
        for path in self._candidates(name, asking):
            elf = self.open(path)
            if elf is not None:
                return Library(path, elf, asking)
        return None

    def _candidates(self, name: str, asking: Library) -> Iterator[Path]:
        if "/" in name:
            yield Path(name)
            return
        if not asking.elf.runpath:
            for one in _askers(asking):
                yield from _in(one.elf.rpath, one, name)
            main = self._files.get(self.executable)
            if main is not None and not main.runpath:
                yield from _in(main.rpath, Library(self.executable, main), name)
        yield from _in(self.library_path.replace(";", ":").split(":"), asking, name)
        yield from _in(asking.elf.runpath, asking, name)
        yield from self.cache.get(name, ())
        for folder in self.folders:
            yield Path(folder, name)
        if name in self.beside:
            yield self.beside[name]

    def open(self, path: Path) -> ElfFile | None:
        """The file at `path`, or None where this machine can't load it."""
        if path not in self._files:
            self._files[path] = None
            try:
                elf = ElfFile.open(path)
            except ElfError:
                return None
            if elf.bits == 64 and elf.little and self.machine in (None, elf.machine):
                self._files[path] = elf
        return self._files[path]


def _askers(library: Library) -> Iterator[Library]:
    """`library`, who asked for it, and so on. Of those with DT_RUNPATH, DT_RPATH does not count."""
    one: Library | None = library
    while one is not None:
        if not one.elf.runpath:
            yield one
        one = one.asked_by


def _in(folders: Iterable[str], of: Library, name: str) -> Iterator[Path]:
    origin = os.path.dirname(os.path.abspath(of.path))  # noqa: PTH100, PTH120 - not resolve(): links count
    for folder in folders:
        if not folder:
            continue
        place = folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
        for lib in ("lib64", "lib") if "$LIB" in place or "${LIB}" in place else ("",):
            yield Path(place.replace("${LIB}", lib).replace("$LIB", lib), name)


def read_cache(path: Path = _CACHE) -> dict[str, tuple[Path, ...]]:
    """Name → paths, in order, of ldconfig's cache; empty where there is none, or one of another kind."""
    found: dict[str, list[Path]] = defaultdict(list)
    try:
        text = path.read_bytes()
        start = text.index(_CACHE_MAGIC)
        _, count, _ = _CACHE_HEADER.unpack_from(text, start)
        for index in range(count):
            _, key, value, _, _ = _CACHE_ENTRY.unpack_from(
                text, start + _CACHE_HEADER.size + index * _CACHE_ENTRY.size
            )
            name, place = (
                text[start + at : text.index(b"\0", start + at)].decode("utf-8", "replace")
                for at in (key, value)
            )
            found[name].append(Path(place))
    except (OSError, ValueError, struct.error):
        return {}
    return {name: tuple(places) for name, places in found.items()}
