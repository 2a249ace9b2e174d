"""ELF files read as the dynamic loader reads them: headers, the dynamic segment, symbols and their versions.

Layout: System V ABI, "Object Files" and "Dynamic Linking"; GNU hash table and symbol versions: Linux Standard Base,
"Symbol Versioning", and binutils' elf/common.h. Files are mapped, never read whole: CUDA libraries are gigabytes.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

#: e_machine by the names that `uname -m` gives (Linux, include/uapi/linux/elf-em.h).
MACHINES = {"i386": 3, "ppc64le": 21, "s390x": 22, "arm": 40, "x86_64": 62, "aarch64": 183, "riscv64": 243}

_PT_LOAD, _PT_DYNAMIC = 1, 2
_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 4, 5, 6, 10, 14, 15, 29
_GNU_HASH, _VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFEF5, *range(0x6FFFFFFC, 0x70000000)
_SHT_NOBITS, _SHT_DYNSYM = 8, 11
_GLOBAL, _WEAK, _GNU_UNIQUE = 1, 2, 10
_SYMBOL = struct.Struct("<IBBHQQ")
#: Files that are mapped at a time. Each is held open by its mapping, and an image may hold more than the 1,024 that a
#: process may open by default.
_MAPPED = 8


class ElfError(ValueError):
    """A file that is not ELF, or is damaged."""


class VersionNeed(NamedTuple):
    """A version that some library has to define: `GLIBC_2.34` of `libc.so.6`."""

    library: str
    version: str


class Section(NamedTuple):
    """Where a section stands in the file, in bytes."""

    name: str
    offset: int
    size: int
    kind: int


@lru_cache(_MAPPED)
def _mapped(path: Path, reader: object) -> mmap.mmap:  # noqa: ARG001 - a file may be written anew for another reader
    """The file at `path`, once for each reader; one that was asked for long ago is closed when nobody reads it."""
    try:
        # O_NONBLOCK: a named pipe is refused below, not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise ElfError("expected a file, found something else")
            if state.st_size < 20:
                raise ElfError(f"expected an ELF file, found one of {state.st_size} bytes")
            return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ElfError(f"can't be read: {error.strerror or error}") from None


class ElfFile:
    """One 64-bit little-endian ELF file.

    Args:
        image: the bytes of the file, or a mapping of them.

    Raises:
        ElfError: where headers or the dynamic segment can't be read. Symbols and versions are read when they are
            asked for, and raise it then.
    """

    def __init__(self, file: bytes | Path) -> None:
        self._image = file
        image = self.image
        if image[:4] != b"\x7fELF":
            raise ElfError(f"expected an ELF file, found one that begins with {bytes(image[:8])!r}")
        #: 64 or 32, and whether the least significant byte comes first.
        self.bits, self.little = {1: 32, 2: 64}.get(image[4], 0), image[5] == 1
        (self.machine,) = struct.unpack_from("<H" if self.little else ">H", self._bytes(0, 20), 18)
        self.needed: tuple[str, ...] = ()
        self.soname = ""
        self.rpath: tuple[str, ...] = ()
        self.runpath: tuple[str, ...] = ()
        self._loads: list[tuple[int, int, int]] = []
        self._dynamic: dict[int, int] = {}
        if self.bits == 64 and self.little:
            self._read_dynamic()

    @classmethod
    def open(cls, path: Path) -> ElfFile:
        """Map the file at `path`.

        Raises:
            ElfError: where it can't be opened or is no ELF file.
        """
        return cls(path)

    @property
    def image(self) -> bytes | mmap.mmap:
        """Its bytes, to be used at once and not to be kept: a mapping holds its file open.

        Raises `ElfError` where the file has gone since.
        """
        return self._image if isinstance(self._image, bytes) else _mapped(self._image, self)

    #
    # Sections
    #

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Every section with contents; empty where the file was stripped of its section table."""
        table, size, count, names_at = struct.unpack_from("<40xQ10xHHH", self._bytes(0, 64))
        if not table or not count:
            return ()
        if size < 64:
            raise ElfError(f"expected section headers of 64 bytes, found {size}")
        self._bytes(table + size * count - 1, 1)
        # name, type, flags, address, offset, size
        headers = [self._unpack("<IIQQQQ", table + size * index) for index in range(count)]
        if names_at >= count:
            raise ElfError(f"expected names in one of {count} sections, found {names_at}")
        names = headers[names_at]
        return tuple(
            Section(self._string(names[4], names[5], name), offset, length, kind)
            for name, kind, _, _, offset, length in headers
            if kind not in (0, _SHT_NOBITS)
        )

    def named(self, *names: str) -> list[Section]:
        """Sections with one of these names, in the order of the file."""
        return [section for section in self.sections if section.name in names]

    @property
    def load_ends(self) -> tuple[int, ...]:
        """Where each part that is loaded ends in the file, in bytes."""
        return tuple(offset + size for _, offset, size in self._loads)

    #
    # Symbols
    #

    @cached_property
    def defined(self) -> frozenset[bytes]:
        """Names that other files can bind to."""
        return frozenset(
            name
            for name, binding, home in self._symbols()
            if home and binding in (_GLOBAL, _WEAK, _GNU_UNIQUE)
        )

    @cached_property
    def undefined(self) -> frozenset[bytes]:
        """Names that other files must define. Weak ones need not be, and are left out."""
        return frozenset(
            name for name, binding, home in self._symbols() if not home and binding in (_GLOBAL, _GNU_UNIQUE)
        )

    def mentions(self, *words: bytes) -> bool:
        """Whether one of `words` stands in the names of the dynamic symbols. Costs next to nothing."""
        start, size = self._strings
        return any(self.image.find(word, start, start + size) >= 0 for word in words)

    def _symbols(self) -> Iterator[tuple[bytes, int, int]]:
        """Name, binding and section of each dynamic symbol."""
        if _SYMTAB not in self._dynamic:
            return
        table = self._offset(self._dynamic[_SYMTAB])
        count = self._symbol_count(table)
        start, size = self._strings
        end, find, image = start + size, self.image.find, self.image
        for at, info, _, home, _, _ in _SYMBOL.iter_unpack(self._bytes(table, count * _SYMBOL.size)):
            if at >= size:
                raise ElfError(f"expected a symbol's name within {size} bytes, found it at {at}")
            stop = find(b"\0", start + at, end)
            if at and stop > 0:
                yield image[start + at : stop], info >> 4, home

    def _symbol_count(self, table: int) -> int:
        for section in self.sections:
            if section.kind == _SHT_DYNSYM and section.offset == table:
                return section.size // _SYMBOL.size
        if _HASH in self._dynamic:
            # Buckets, then chains: there is one chain a symbol.
            return int(self._unpack("<4xI", self._offset(self._dynamic[_HASH]))[0])
        # Nothing says how many there are; every linker puts their names right behind them.
        room = self._strings[0] - table
        if room <= 0:
            raise ElfError(
                "expected symbols before their names, found them behind: their number can't be told"
            )
        return room // _SYMBOL.size

    #
    # Versions
    #

    @cached_property
    def version_needs(self) -> tuple[VersionNeed, ...]:
        """Versions that must be there, or the loader refuses the file. Weak ones are left out."""
        found = []
        for entry in self._chain(_VERNEED, _VERNEEDNUM, "<HHIII", following=4):
            at, (_, count, library, auxiliary, _) = entry
            name, position = self._dynamic_string(library), at + auxiliary
            for _ in range(count):
                _, flags, _, version, following = self._unpack("<IHHII", position)
                if not flags & 2:  # VER_FLG_WEAK
                    found.append(VersionNeed(name, self._dynamic_string(version)))
                if not following:
                    break
                position += following
        return tuple(found)

    @cached_property
    def version_definitions(self) -> frozenset[str]:
        """Versions that this file defines; empty where it has none, and then it serves any."""
        found = set()
        for at, fields in self._chain(_VERDEF, _VERDEFNUM, "<HHHHIII", following=6):
            if not fields[1] & 1:  # VER_FLG_BASE: the name of the file itself
                found.add(self._dynamic_string(self._unpack("<I", at + fields[5])[0]))
        return frozenset(found)

    def _chain(
        self, start: int, number: int, layout: str, *, following: int
    ) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Entries that each say how far on the next one stands; `following` is the index of that field."""
        if start not in self._dynamic:
            return
        at = self._offset(self._dynamic[start])
        for _ in range(min(self._dynamic.get(number, 0), 0xFFFF)):
            fields = self._unpack(layout, at)
            yield at, fields
            if not fields[following]:
                return
            at += fields[following]

    #
    # The file
    #

    def _read_dynamic(self) -> None:
        table, size, count = struct.unpack_from("<32xQ14xHH", self._bytes(0, 64))
        if count and size < 56:
            raise ElfError(f"expected program headers of 56 bytes, found {size}")
        dynamic = (0, 0)
        for index in range(count):
            # type, flags, offset, virtual address, physical address, size in the file
            kind, _, offset, address, _, length = self._unpack("<IIQQQQ", table + size * index)
            if kind == _PT_LOAD:
                if offset + length > len(self.image):
                    raise ElfError(
                        f"expected {offset + length} bytes, found a file of {len(self.image)}: it is truncated"
                    )
                self._loads.append((address, offset, length))
            elif kind == _PT_DYNAMIC:
                dynamic = (offset, length)
        entries = [
            (tag, value)
            for tag, value in struct.iter_unpack("<QQ", self._bytes(dynamic[0], dynamic[1] // 16 * 16))
        ]
        entries = entries[: next((at for at, (tag, _) in enumerate(entries) if tag == 0), None)]
        self._dynamic = dict(entries)
        self.needed = tuple(self._dynamic_string(value) for tag, value in entries if tag == _NEEDED)
        if _SONAME in self._dynamic:
            self.soname = self._dynamic_string(self._dynamic[_SONAME])
        self.rpath, self.runpath = (
            tuple(filter(None, self._dynamic_string(self._dynamic[tag]).split(":")))
            if tag in self._dynamic
            else ()
            for tag in (_RPATH, _RUNPATH)
        )

    @cached_property
    def _strings(self) -> tuple[int, int]:
        """Where the names of dynamic symbols and libraries stand: offset and size."""
        if _STRTAB not in self._dynamic:
            return 0, 0
        return self._offset(self._dynamic[_STRTAB]), self._dynamic.get(_STRSZ, 0)

    def _dynamic_string(self, at: int) -> str:
        return self._string(*self._strings, at)

    def _string(self, start: int, size: int, at: int) -> str:
        end = self.image.find(b"\0", start + at, start + size) if at < size else -1
        if end < 0:
            raise ElfError(f"expected a name at {at} of {size} bytes of names, found none")
        return self.image[start + at : end].decode("utf-8", "replace")

    def _offset(self, address: int) -> int:
        for start, offset, size in self._loads:
            if start <= address < start + size:
                return address - start + offset
        raise ElfError(f"expected address {address:#x} within a segment, found it in none")

    def _bytes(self, offset: int, size: int) -> bytes:
        found = self.image[offset : offset + size]
        if len(found) < size:
            raise ElfError(
                f"expected {size} bytes at {offset:#x}, found a file of {len(self.image)}: it is truncated"
            )
        return found

    def _unpack(self, layout: str, offset: int) -> tuple[Any, ...]:
        return struct.unpack(layout, self._bytes(offset, struct.calcsize(layout)))
