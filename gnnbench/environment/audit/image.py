"""The headers of ELF files: sections, segments, and what the dynamic loader is told.

Layout: System V ABI, "Object Files" and "Program Loading and Dynamic Linking". Files are mapped, never read whole: CUDA
libraries are gigabytes.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

_Elf = TypeVar("_Elf", bound="ElfImage")

#: e_machine by the names that `uname -m` gives (Linux, include/uapi/linux/elf-em.h).
MACHINES = {"i386": 3, "ppc64le": 21, "s390x": 22, "arm": 40, "x86_64": 62, "aarch64": 183, "riscv64": 243}

_PT_LOAD, _PT_DYNAMIC = 1, 2
_NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 5, 10, 14, 15, 29
_SHT_NOBITS = 8
#: Files that are mapped at a time. Each is held open by its mapping, and an image may hold more than the 1,024 that a
#: process may open by default.
_MAPPED = 8


class ElfError(ValueError):
    """A file that is not ELF, or is damaged."""


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


class ElfImage:
    """The headers of one 64-bit little-endian ELF file.

    Args:
        file: its path, or its bytes.

    Raises:
        ElfError: where headers or the dynamic segment can't be read. What else there is is read when it is asked for, and
            raises it then.
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
    def open(cls: type[_Elf], path: Path) -> _Elf:  # noqa: PYI019  (Self needs Python 3.11)
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
