"""gnnbench.environment.audit.elf: what the loader reads of a file, and files that are damaged."""

import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from compiled_files import library, needs_compiler

from gnnbench.environment.audit import ElfError, ElfFile

SOURCE = """
extern void elsewhere(void);
extern void perhaps(void) __attribute__((weak));
void here(void) { elsewhere(); if (perhaps) perhaps(); }
static void inside(void) {}
__attribute__((visibility("hidden"))) void hidden(void) { inside(); }
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A library that needs another one, and a version of it."""
    needs_compiler()
    folder = tmp_path_factory.mktemp("elf")
    (folder / "map").write_text("BASE_1.0 { global: elsewhere; };\nBASE_1.5 { global: later; } BASE_1.0;\n")
    library(
        folder / "libbase.so.1",
        "void elsewhere(void) {} void later(void) {}",
        soname="libbase.so.1",
        flags=[f"-Wl,--version-script={folder / 'map'}"],
    )
    library(
        folder / "libuser.so",
        SOURCE,
        soname="libuser.so.3",
        flags=[f"-L{folder}", "-l:libbase.so.1", "-Wl,-rpath,$ORIGIN:/opt/lib", "-Wl,--enable-new-dtags"],
    )
    return folder


def test_a_library(sample):
    """Names, needs, search paths, symbols and versions, as they were compiled."""
    elf = ElfFile.open(sample / "libuser.so")

    assert (elf.soname, elf.needed) == ("libuser.so.3", ("libbase.so.1",))
    assert (elf.runpath, elf.rpath) == (("$ORIGIN", "/opt/lib"), ())
    assert elf.defined == {b"here"}
    assert elf.undefined == {b"elsewhere"}
    assert elf.version_needs == (("libbase.so.1", "BASE_1.0"),)
    assert ElfFile.open(sample / "libbase.so.1").version_definitions == {"BASE_1.0", "BASE_1.5"}
    assert elf.mentions(b"elsew")
    assert not elf.mentions(b"nowhere")


def test_weak_versions(sample):
    """A version that is marked as weak (VER_FLG_WEAK) may be absent: the loader says nothing of it."""
    image = bytearray((sample / "libuser.so").read_bytes())
    hashed = 0
    for letter in b"BASE_1.0":  # System V ABI, "Hash Table"
        hashed = (hashed << 4) + letter
        high = hashed & 0xF0000000
        hashed = (hashed ^ high >> 24) & ~high
    # An entry of .gnu.version_r: hash, then flags.
    struct.pack_into("<H", image, image.index(struct.pack("<IHH", hashed, 0, 2)) + 4, 2)

    assert ElfFile(bytes(image)).version_needs == ()


def test_old_search_path(sample, tmp_path):
    """DT_RPATH, which is searched otherwise than DT_RUNPATH, is told from it."""
    elf = ElfFile.open(library(tmp_path / "lib.so", flags=["-Wl,-rpath,/a", "-Wl,--disable-new-dtags"]))

    assert (elf.rpath, elf.runpath) == (("/a",), ())


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_without_sections(sample, style):
    """Symbols are found in a file that was stripped of its section table, whatever hash table it has."""
    path = library(
        sample / f"lib{style}.so",
        SOURCE,
        flags=[f"-L{sample}", "-l:libbase.so.1", f"-Wl,--hash-style={style}"],
    )
    whole = bytearray(path.read_bytes())
    struct.pack_into("<Q", whole, 40, 0)
    struct.pack_into("<HH", whole, 60, 0, 0)
    stripped = ElfFile(bytes(whole))

    assert stripped.sections == ()
    assert stripped.defined == ElfFile.open(path).defined == {b"here"}
    assert stripped.undefined == {b"elsewhere"}
    assert stripped.version_needs == (("libbase.so.1", "BASE_1.0"),)
    # The last segment holds data that nothing of the above is in.
    with pytest.raises(ElfError, match="truncated"):
        ElfFile(bytes(whole[: max(stripped.load_ends) - 1]))


def test_it_agrees_with_binutils(sample):
    """torch's own library, as `nm` lists it."""
    torch = pytest.importorskip("torch")
    path = next(Path(torch.__file__).parent.glob("lib/libc10.so"))
    try:
        listed = subprocess.run(["nm", "-D", path], capture_output=True, text=True, check=True).stdout
    except OSError:
        pytest.skip("no nm")
    undefined = {line.split()[1].partition("@")[0] for line in listed.splitlines() if line.split()[0] == "U"}
    defined = {
        line.split()[2].partition("@")[0]
        for line in listed.splitlines()
        if len(line.split()) == 3 and line.split()[1] in "TWVBDRui"
    }
    elf = ElfFile.open(path)

    assert {name.decode() for name in elf.undefined} == undefined
    assert {name.decode() for name in elf.defined} == defined


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "found one of 0 bytes"),
        (b"\x7fELF", "found one of 4 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "begins with b'version '"),
        (b"\x7fELF\x02\x01\x01" + bytes(20), "truncated"),
    ],
)
def test_what_is_no_elf_file(tmp_path, content, words):
    """The message says what stands there instead."""
    path = tmp_path / "lib.so"
    path.write_bytes(content)

    with pytest.raises(ElfError, match=words):
        ElfFile.open(path)


def test_what_is_no_file(tmp_path):
    """A link that leads nowhere, a folder, and a pipe that nobody writes to."""
    (tmp_path / "link.so").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.so")

    with pytest.raises(ElfError, match="can't be read: No such file"):
        ElfFile.open(tmp_path / "link.so")
    for path in (tmp_path / "pipe.so", tmp_path):
        with pytest.raises(ElfError, match="expected a file, found something else"):
            ElfFile.open(path)


def _read(image):
    elf = ElfFile(image)
    return elf.sections, elf.defined, elf.undefined, elf.version_needs, elf.version_definitions


def test_every_cut_is_told(sample):
    """A file that ends anywhere before its end is damaged, and says so."""
    whole = (sample / "libuser.so").read_bytes()

    for end in [*range(0, len(whole), 61), *range(len(whole) - 64, len(whole))]:
        with pytest.raises(ElfError):
            _read(whole[:end])


def test_no_damage_gets_through(sample):
    """Whatever a few wrong bytes do: an answer or an ElfError, and neither a hang nor any other error."""
    whole = (sample / "libuser.so").read_bytes()
    chance = random.Random(0)
    told = 0
    # Headers, the dynamic segment and the version tables are what everything is found by.
    spots = [*range(64 + 56 * 12), *range(0x200, min(0x400, len(whole)))]
    spots += [
        at for at in range(len(whole)) if whole[at : at + 8] in (b"\x05\0\0\0\0\0\0\0", b"\x06\0\0\0\0\0\0\0")
    ]
    for _ in range(1500):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.choice(spots)] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        try:
            _read(bytes(damaged))
        except ElfError:
            told += 1

    assert told > 100


def test_other_machines_are_told_apart(sample):
    """32-bit and big-endian files have a machine, and are not read further."""
    whole = bytearray((sample / "libuser.so").read_bytes())
    for position, value in ((4, 1), (5, 2)):
        image = bytearray(whole)
        image[position] = value
        elf = ElfFile(bytes(image))

        assert (elf.bits, elf.little) == ((32, True) if position == 4 else (64, False))
        assert elf.needed == ()


def test_the_interpreter():
    """An executable is read as a library is."""
    elf = ElfFile.open(Path(os.path.realpath(sys.executable)))

    assert any(name.startswith("libc.") for name in elf.needed)


def test_more_files_than_may_be_open(sample, tmp_path, few_files):
    """An image holds more compiled files than the 1,024 that a process may open by default."""
    code = (sample / "libuser.so").read_bytes()
    paths = [tmp_path / f"{number}.so" for number in range(40)]
    for path in paths:
        path.write_bytes(code)
    few_files(16)
    files = [ElfFile.open(path) for path in paths]

    assert all(file.defined == {b"here"} for file in files)
