"""Symbols of an ELF file, and their versions, as the dynamic loader reads them.

Layout: System V ABI, "Dynamic Linking"; versions: Linux Standard Base, "Symbol Versioning".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from gnnbench.environment.audit.image import MACHINES, ElfError, ElfImage

_HASH, _SYMTAB = 4, 6
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = range(0x6FFFFFFC, 0x70000000)
_SHT_DYNSYM = 11
_GLOBAL, _WEAK, _GNU_UNIQUE = 1, 2, 10
_SYMBOL = struct.Struct("<IBBHQQ")


class VersionNeed(NamedTuple):
    """A version that some library has to define: `GLIBC_2.34` of `libc.so.6`."""

    library: str
    version: str


class ElfFile(ElfImage):
    """One 64-bit little-endian ELF file; of another one, only the headers can be read."""

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


__all__ = ["MACHINES", "ElfError", "ElfFile", "VersionNeed"]
