"""Fat binaries: for which architectures the device code in a compiled file was built.

nvcc puts device code into the section `.nv_fatbin` (CUDA's fatbinary_section.h): containers one behind the other, each
with entries for several architectures. NVIDIA documents no layout; this one was measured on files of nvcc 13.0 with
every -compress-mode, with and without -rdc, for sm_80, sm_90, sm_90a, sm_100, sm_100a, sm_100f, sm_103f and sm_120 as
machine code and PTX, and agrees with what cuobjdump 13.5 lists for them and for published libraries of CUDA 12
and 13 (docs/audit.md names them):

    container  magic 0xBA55ED50 (u32), version 1 (u16), size of this header (u16), size of all entries (u64)
    entry      kind (u16), version (u16), size of this header (u32), size of the payload (u64), then at
               28 the architecture (u32, 90 for sm_90), at 40 flags (u64)

Kind 1 is PTX, 2 is machine code; others (link-time code, indices) run on no GPU by themselves. A compressed payload
has a header as readable as any. Flag 0x100000 stands for the suffix `a`, 0x200000 for `f`.

The section `__nv_relfatbin` holds code before device linking (-rdc): its result stands in `.nv_fatbin`.
"""

from __future__ import annotations

import mmap
import struct

from gnnbench.environment.audit.elf import ElfFile

SECTION = ".nv_fatbin"
_MAGIC = 0xBA55ED50
_MAGIC_BYTES = struct.pack("<I", _MAGIC)
_CONTAINER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQ12xI8xQ")
_KINDS = {1: "compute", 2: "sm"}
_FLAG_SPECIFIC, _FLAG_FAMILY = 0x100000, 0x200000
_ALIGNMENT = 8

Container = frozenset[str]
"""The architectures of one container, `{"sm_90", "compute_90"}`: roughly, of one source file."""


class FatbinError(ValueError):
    """Device code that is damaged, or laid out in a way that is not known."""


def containers(elf: ElfFile) -> list[Container]:
    """The containers of device code in `elf`, in their order; those without code that runs are left out.

    Raises:
        FatbinError: for a container that can't be read.
    """
    spans = [(section.offset, section.offset + section.size) for section in elf.named(SECTION)]
    if not spans and not elf.sections:
        spans = [(at, len(elf.image)) for at in _first_magic(elf.image)]
    return [
        one for start, end in spans for one in _walk(elf.image, start, end, strict=bool(elf.sections)) if one
    ]


def _expect_jumps(image: bytes | mmap.mmap, start: int, end: int) -> None:
    """Tell the kernel that only headers are read: it would else read everything in between from the disk, ahead."""
    if isinstance(image, mmap.mmap) and hasattr(mmap, "MADV_RANDOM") and 0 <= start < end <= len(image):
        first = start // mmap.PAGESIZE * mmap.PAGESIZE
        image.madvise(mmap.MADV_RANDOM, first, end - first)


def has_device_code(elf: ElfFile) -> bool:
    """Whether there is a section of device code, or, in a file stripped of its section table, a container."""
    return bool(elf.named(SECTION)) or (not elf.sections and bool(_first_magic(elf.image)))


def _first_magic(image: bytes | mmap.mmap) -> list[int]:
    at = image.find(_MAGIC_BYTES)
    while at >= 0 and at % _ALIGNMENT:
        at = image.find(_MAGIC_BYTES, at + 1)
    return [at] if at >= 0 else []


def _walk(image: bytes | mmap.mmap, start: int, end: int, *, strict: bool) -> list[Container]:
    found = []
    at = start
    while at + _CONTAINER.size <= end:
        magic, version, header, size = _unpack(_CONTAINER, image, at, end)
        if magic != _MAGIC:
            # Between containers there is nothing but padding. Without a section table, whatever follows in the file.
            nearest = image.find(_MAGIC_BYTES, at, end)
            if strict and any(image[at : end if nearest < 0 else nearest]):
                raise FatbinError(f"expected the magic number 0xBA55ED50 at {at:#x}, found {magic:#x}")
            if nearest < 0:
                break
            at = nearest
            continue
        if version != 1 or header < _CONTAINER.size:
            raise FatbinError(f"expected a container of version 1 at {at:#x}, found version {version}")
        if at + header + size > end:
            raise FatbinError(f"expected {size} bytes of device code at {at:#x}, found {end - at - header}")
        found.append(_architectures(image, at + header, at + header + size))
        at += header + size
    return found


def _architectures(image: bytes | mmap.mmap, start: int, end: int) -> Container:
    found = set()
    at = start
    while at < end:
        kind, _, header, size, architecture, flags = _unpack(_ENTRY, image, at, end)
        if header < _ENTRY.size or at + header + size > end:
            raise FatbinError(
                f"expected an entry within its container at {at:#x}, found {header} + {size} bytes"
            )
        if kind in _KINDS:
            suffix = "a" if flags & _FLAG_SPECIFIC else "f" if flags & _FLAG_FAMILY else ""
            found.add(f"{_KINDS[kind]}_{architecture}{suffix}")
        at += header + size
    return frozenset(found)


def _unpack(layout: struct.Struct, image: bytes | mmap.mmap, at: int, end: int) -> tuple[int, ...]:
    if at + layout.size > end:
        raise FatbinError(f"expected {layout.size} bytes at {at:#x}, found {end - at}")
    return layout.unpack(image[at : at + layout.size])
