"""gnnbench.environment.audit.fatbin: the architectures in a compiled file, read from its headers."""

import os
import shutil
import stat
import struct
import subprocess

import pytest
from compiled_files import library, needs_compiler

from gnnbench.environment.audit import ElfFile, FatbinError, containers
from gnnbench.environment.audit.cuobjdump import agrees, architectures, find
from gnnbench.environment.audit.fatbin import has_device_code
from gnnbench.faults.site import container, device_code

KERNEL = 'extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2.0f; }\n'
NVCC = shutil.which("nvcc") or next(
    (p for p in ["/usr/local/cuda/bin/nvcc", "/usr/local/cuda-13.0/bin/nvcc"] if os.access(p, os.X_OK)), None
)


@pytest.fixture
def compiled(tmp_path):
    """Compile a list of containers into a library and read them again."""
    needs_compiler()

    def compile_(listed):
        return ElfFile.open(library(tmp_path / "lib.so", device_code(listed)))

    return compile_


@pytest.mark.parametrize(
    "listed",
    [
        [["sm_80", "sm_90", "compute_90"]],
        [["sm_90a"], ["sm_100f", "compute_100f"], ["sm_75"]],
        [["sm_120"]] * 50,
        [["compute_52"]],
    ],
)
def test_containers(compiled, listed):
    """Each container with its own architectures, in their order."""
    assert containers(compiled(listed)) == [frozenset(one) for one in listed]


def test_padding_and_foreign_entries(compiled):
    """Zeros between containers are nothing, and code that runs on no GPU by itself (kind 64) is no architecture."""
    one, index = container(["sm_80"]), bytearray(container(["sm_90"]))
    struct.pack_into("<H", index, 16, 64)
    elf = compiled([["sm_50"]])
    section = elf.named(".nv_fatbin")[0]
    elf._image = b"".join([one, bytes(24), bytes(index), bytes(8), container(["sm_70"]), bytes(8)])
    elf.__dict__["sections"] = (section._replace(offset=0, size=len(elf.image)),)

    assert containers(elf) == [{"sm_80"}, {"sm_70"}]


def test_no_device_code(tmp_path):
    """A library for the CPU has no containers."""
    needs_compiler()
    elf = ElfFile.open(library(tmp_path / "lib.so"))

    assert not has_device_code(elf)
    assert containers(elf) == []


def test_without_sections(compiled):
    """Device code is found in a file that was stripped of its section table."""
    image = bytearray(compiled([["sm_80"], ["sm_90a"]]).image[:])
    struct.pack_into("<Q", image, 40, 0)
    elf = ElfFile(bytes(image))

    assert has_device_code(elf)
    assert containers(elf) == [{"sm_80"}, {"sm_90a"}]


@pytest.mark.parametrize(
    ("position", "layout", "value", "words"),
    [
        (0, "<I", 0x1EE55A01, "expected the magic number"),
        (4, "<H", 2, "version 2"),
        (6, "<H", 3, "expected a container of version 1"),
        (8, "<Q", 2**40, "expected 1099511627776 bytes of device code"),
        (20, "<I", 0, "expected an entry within its container"),
        (24, "<Q", 2**63, "expected an entry within its container"),
    ],
)
def test_damage_is_told(compiled, position, layout, value, words):
    """A header that can't be right is an error, and no shorter list."""
    elf = compiled([["sm_80", "sm_90"]])
    image = bytearray(elf.image[:])
    struct.pack_into(layout, image, elf.named(".nv_fatbin")[0].offset + position, value)
    broken = ElfFile(bytes(image))

    with pytest.raises(FatbinError, match=words):
        containers(broken)


@pytest.mark.skipif(NVCC is None, reason="no nvcc: the layout of real fat binaries is not checked here")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-gencode=arch=compute_80,code=sm_80", "-gencode=arch=compute_90,code=[sm_90,compute_90]"],
         {"sm_80", "sm_90", "compute_90"}),
        (["-gencode=arch=compute_90a,code=[sm_90a,compute_90a]"], {"sm_90a", "compute_90a"}),
        (["-no-compress", "-gencode=arch=compute_90,code=[sm_90,compute_90]"], {"sm_90", "compute_90"}),
        # What is linked holds code for the linked architecture; the PTX before linking is no longer loaded.
        (["-rdc=true", "-gencode=arch=compute_90,code=[sm_90,compute_90]"], {"sm_90"}),
    ],
    ids=["several", "specific", "uncompressed", "relocatable"],
)  # fmt: skip
def test_what_nvcc_makes(tmp_path, options, expected):
    """Real fat binaries hold what was asked for."""
    (tmp_path / "kernel.cu").write_text(KERNEL)
    ended = subprocess.run(
        [NVCC, "-shared", "-Xcompiler=-fPIC", *options, "-o", tmp_path / "lib.so", tmp_path / "kernel.cu"],
        capture_output=True, text=True,
    )  # fmt: skip
    if ended.returncode:
        pytest.skip(f"this nvcc can't: {ended.stderr.splitlines()[-1:]}")

    assert frozenset().union(*containers(ElfFile.open(tmp_path / "lib.so"))) == expected


@pytest.mark.skipif(NVCC is None, reason="no nvcc: the layout of real fat binaries is not checked here")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-compress-mode=size", "-gencode=arch=compute_100,code=[sm_100,compute_100]"], {"sm_100", "compute_100"}),
        (["-compress-mode=speed", "-gencode=arch=compute_100f,code=[sm_100f,compute_100f]"], {"sm_100f", "compute_100f"}),
        (["-compress-mode=none", "-gencode=arch=compute_100f,code=sm_103f"], {"sm_103f"}),
    ],
    ids=["size", "speed", "none"],
)  # fmt: skip
def test_what_newer_nvcc_makes(tmp_path, options, expected):
    """Modes of compression and families, which nvcc has since 12.8 and 12.9."""
    test_what_nvcc_makes(tmp_path, options, expected)


TOOL = """#!/bin/sh
case "$3" in
*empty*) echo "cuobjdump info    : File '$3' does not contain device code" >&2; exit 255 ;;
esac
echo "ELF file    1: lib.1.sm_80.cubin"
echo "ELF file    2: a lib.so.2.sm_90a.cubin"
echo "PTX file    1: lib.1.sm_90.ptx"
"""


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A cuobjdump on PATH that lists sm_80, sm_90a and compute_90, whatever it is asked."""
    path = tmp_path / "bin" / "cuobjdump"
    path.parent.mkdir()
    path.write_text(TOOL)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return str(path)


def test_what_cuobjdump_lists(tool, tmp_path):
    """NVIDIA's own words, as its versions 11 to 13 print them."""
    assert find() == tool
    assert architectures(tool, tmp_path / "lib.so") == {"sm_80", "sm_90a", "compute_90"}


def test_cuobjdump_refuses(tool, tmp_path):
    """A failure of the tool says what it said."""
    with pytest.raises(RuntimeError, match="does not contain device code"):
        architectures(tool, tmp_path / "empty.so")
    with pytest.raises(RuntimeError, match="No such file"):
        architectures(str(tmp_path / "no-tool"), tmp_path / "lib.so")


def test_agreement():
    """The suffix f, which cuobjdump does not print for machine code, is no difference; a is one."""
    assert agrees(frozenset({"sm_100f", "compute_90"}), frozenset({"sm_100", "compute_90"}))
    assert not agrees(frozenset({"sm_90a"}), frozenset({"sm_90"}))
