"""gnnbench.environment.audit: whole images, made of small compiled files, and what is found in them."""

import importlib.machinery
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from compiled_files import audited, library, linked, needs_compiler, opened, package, torch

from gnnbench.environment import Support, audit
from gnnbench.environment.audit import files as audit_files
from gnnbench.environment.audit.elf import MACHINES
from gnnbench.environment.audit.loader import Loader, read_cache
from gnnbench.faults.site import device_code, stub

ALIVE = "_ZN3c105aliveEv"
GONE = "_ZN3c104goneEv"


@pytest.fixture(autouse=True)
def _compiler():
    needs_compiler()


def call(name):
    """C that calls a function of that name."""
    return f"extern void {name}(void); void use(void) {{ {name}(); }}"


#
# Finding files
#


def test_files(tmp_path):
    """A site folder is searched whole; of another one, only packages; links to folders are not followed."""
    site, other = tmp_path / "site", tmp_path / "other"
    for path in ("site/a-1.dist-info/x", "site/loose/lib.so.1", "site/a/deep/er/_C.so", "site/a/__pycache__/no.so",
                 "site/top.so", "site/.hidden/no.so", "other/data/set/no.so", "other/pack/__init__.py",
                 "other/pack/lib/yes.so", "other/not-a-name/no.so", "other/readme.so.txt"):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (site / "loop").symlink_to(site)
    found = audit_files.search([site, other, site, tmp_path / "gone"])

    assert [str(path.relative_to(tmp_path)) for _, path in found.paths] == [
        "site/a/deep/er/_C.so", "site/loose/lib.so.1", "site/top.so", "other/pack/lib/yes.so",
    ]  # fmt: skip
    assert found.cut == []


def test_a_search_ends(tmp_path, monkeypatch):
    """A folder that holds too much is searched in part, and named; an installation is searched to its end."""
    monkeypatch.setattr(audit_files, "_MOST_ENTRIES", 10)
    for number in range(30):
        (tmp_path / "pack" / f"{number}").mkdir(parents=True)
    (tmp_path / "pack" / "__init__.py").touch()

    assert audit_files.search([tmp_path]).cut == [tmp_path]
    (tmp_path / "x-1.dist-info").mkdir()
    assert audit_files.search([tmp_path]).cut == []


def test_where_one_stands_is_no_installation(tmp_path, monkeypatch):
    """The folder that `python -m` adds to sys.path is left out, unless PYTHONPATH names it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delenv("PYTHONPATH", raising=False)

    assert tmp_path not in audit_files.import_folders()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert tmp_path in audit_files.import_folders()


#
# The loader
#


def test_it_finds_what_ld_so_finds():
    """Python's libraries and torch's, against what this very process has mapped."""
    pytest.importorskip("torch")
    code = (
        "import torch; from gnnbench.environment import audit, mapped_libraries; import os;"
        "found = {os.path.realpath(one.path) for one in audit.inventory().loader.loaded.values()};"
        "mapped = {os.path.realpath(one.path) for one in mapped_libraries()};"
        "print(sorted(found - mapped - {os.path.realpath(os.sys.executable)}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert ended.stdout == "[]\n", ended.stderr


def test_order_of_search(tmp_path):
    """RPATH before LD_LIBRARY_PATH before RUNPATH before the cache before the default folders."""
    places = {name: tmp_path / name for name in ("rpath", "path", "runpath", "cache", "default")}
    for place in places.values():
        library(place / "libx.so", soname="libx.so")
    link = [f"-L{places['rpath']}", "-lx", "-Wl,--no-as-needed"]
    old = library(tmp_path / "old.so", flags=[*link, "-Wl,-rpath,$ORIGIN/rpath", "-Wl,--disable-new-dtags"])
    new = library(
        tmp_path / "new.so", flags=[*link, "-Wl,-rpath,${ORIGIN}/runpath", "-Wl,--enable-new-dtags"]
    )
    everything = {
        "library_path": str(places["path"]),
        "cache": {"libx.so": (places["cache"] / "libx.so",)},
        "folders": (str(places["default"]),),
    }

    def chosen(path, **less):
        one = Loader(**{**everything, **less}).find("libx.so", opened(path))
        return one and one.path.parent.name

    assert chosen(old) == "rpath"
    assert chosen(new) == "path"
    assert chosen(new, library_path="") == "runpath"
    (places["runpath"] / "libx.so").write_bytes(b"\x7fELF but not really, and long enough")
    assert chosen(new, library_path="") == "cache"
    foreign = bytearray((places["cache"] / "libx.so").read_bytes())
    struct.pack_into("<H", foreign, 18, MACHINES["s390x"])
    (places["runpath"] / "libx.so").write_bytes(foreign)
    assert chosen(new, library_path="") == "cache"
    assert chosen(new, library_path="", cache={}) == "default"
    assert chosen(new, library_path="", cache={}, folders=()) is None


def test_a_search_path_is_inherited(tmp_path):
    """DT_RPATH of the file that asked serves what that file brought; DT_RUNPATH does not."""
    library(tmp_path / "deep" / "libz.so", soname="libz.so")
    library(tmp_path / "liby.so", soname="liby.so", flags=["-Wl,--no-as-needed", f"-L{tmp_path}/deep", "-lz"])
    for dtags, missing in (("disable", {}), ("enable", {"libz.so": "liby.so"})):
        top = library(
            tmp_path / f"{dtags}.so",
            flags=["-Wl,--no-as-needed", f"-L{tmp_path}", "-ly", "-Wl,-rpath,$ORIGIN:$ORIGIN/deep",
                   f"-Wl,--{dtags}-new-dtags", "-Wl,--allow-shlib-undefined"],
        )  # fmt: skip

        assert Loader(library_path="", cache={}, folders=()).closure(opened(top)).missing == missing
    # Nor is it inherited by a file that has a DT_RUNPATH of its own.
    library(
        tmp_path / "liby.so", soname="liby.so",
        flags=["-Wl,--no-as-needed", f"-L{tmp_path}/deep", "-lz", "-Wl,-rpath,/nowhere", "-Wl,--enable-new-dtags"],
    )  # fmt: skip
    old = opened(tmp_path / "disable.so")
    assert Loader(library_path="", cache={}, folders=()).closure(old).missing == {"libz.so": "liby.so"}


def test_the_cache(tmp_path):
    """ldconfig's own cache, of a folder of ours; damaged ones are empty."""
    library(tmp_path / "lib" / "libplanted.so.7", soname="libplanted.so.7")
    (tmp_path / "conf").write_text(f"{tmp_path / 'lib'}\n")
    try:
        subprocess.run(
            ["/sbin/ldconfig", "-X", "-f", tmp_path / "conf", "-C", tmp_path / "cache"],
            check=True, capture_output=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no ldconfig: {error}")

    assert read_cache(tmp_path / "cache")["libplanted.so.7"] == (tmp_path / "lib" / "libplanted.so.7",)
    whole = (tmp_path / "cache").read_bytes()
    for content in (b"", whole[:60], b"something else"):
        (tmp_path / "cache").write_bytes(content)
        assert read_cache(tmp_path / "cache") == {}


#
# Files that can't be loaded
#


def test_damaged_and_foreign_files(tmp_path):
    """What is cut off, for another machine or another Python is told; what nobody loads is not."""
    whole = package(tmp_path, "whole").read_bytes()
    own = importlib.machinery.EXTENSION_SUFFIXES[0]
    other = bytearray(whole)
    struct.pack_into("<H", other, 18, MACHINES["s390x"])
    torch_source = f"void {ALIVE}(void) {{}}"
    contents = {
        "cut/_C.so": whole[:-700],
        "pointer/_C.so": b"version https://git-lfs.github.com/spec/v1\n",
        f"machine/_C{own}": bytes(other),
        "plugins/for_mainframes.so": bytes(other),
        "macos/lib.so": b"\xcf\xfa\xed\xfe" + bytes(40),
        "script/libx.so": b"/* GNU ld script */\nGROUP ( libx.so.1 )\n",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    package(tmp_path, "python", "_C.cpython-38-x86_64-linux-gnu.so", torch_source)
    package(tmp_path, "pythons", "_C.cpython-38-x86_64-linux-gnu.so", torch_source)
    package(tmp_path, "pythons", f"_C{own}", torch_source)
    found = {one.file.name: one.reason for one in audit.unloadable(audited(tmp_path))}

    assert set(found) == {
        "cut/_C.so",
        "pointer/_C.so",
        f"machine/_C{own}",
        "python/_C.cpython-38-x86_64-linux-gnu.so",
    }
    assert "truncated" in found["cut/_C.so"]
    assert "begins with" in found["pointer/_C.so"]
    assert found[f"machine/_C{own}"] == f"built for s390x (64-bit), this machine is {os.uname().machine}"
    assert "cpython-38" in found["python/_C.cpython-38-x86_64-linux-gnu.so"]


@pytest.mark.parametrize(("built_for", "good"), [(("2.7.1", "2.8.0"), True), (("2.4.0", "2.7.1"), False)])
def test_one_file_for_each_torch(tmp_path, built_for, good):
    """DGL loads the file that is named after the torch installed: its others may be broken, but it must be there."""
    torch(tmp_path)
    for release in built_for:
        right = release == "2.8.0"
        package(tmp_path, "dgl", f"libgraphbolt_pytorch_{release}.so", call(ALIVE if right else GONE))
    inventory = audited(tmp_path)
    told = [(one.file.name, one.reason) for one in audit.unloadable(inventory)]

    assert audit.undefined_symbols(inventory) == []
    assert (
        told == []
        if good
        else told
        == [
            (
                "dgl/libgraphbolt_pytorch_2.7.1.so",
                "one of 2 for torch 2.4.0, 2.7.1; there is none for torch 2.8.0",
            )
        ]
    )


#
# Libraries
#


def test_missing_libraries(tmp_path):
    """Told with who needs them; the driver's come from the host, and what lies beside was loaded by its package."""
    torch(tmp_path)
    for name in ("libgone.so.1", "libcuda.so.1", "libnvidia-ml.so.1", "libhere-1a2b3c4d.so.5"):
        stub(tmp_path / ".stubs" / name, name)
    names = " ".join(f"-l:{path.name}" for path in sorted((tmp_path / ".stubs").glob("*.so.*"))).split()
    package(tmp_path, "user", flags=[*linked(tmp_path, "c10"), f"-L{tmp_path}/.stubs", *names])
    package(tmp_path, "here.libs", "libhere-1a2b3c4d.so.5")
    inventory = audited(tmp_path)

    assert [(one.file.name, one.library, one.needed_by) for one in audit.missing_libraries(inventory)] == [
        ("user/_C.so", "libgone.so.1", "_C.so")
    ]


@pytest.mark.parametrize(
    ("cuda", "library_", "told"),
    [
        ("12.6", "libcudart.so.11.0", True),
        ("12.6", "libcudart-1a2b3c4d.so.11.0", True),
        ("12.6", "libcublasLt.so.13", True),
        ("12.6", "libcudart.so.12", False),
        ("13.0", "libcusparse.so.12", False),  # has a numbering of its own
        (None, "libcudart.so.12", False),  # missing, most likely, and that is told
    ],
)
def test_another_cuda(tmp_path, cuda, library_, told):
    """An extension linked with another major version of CUDA than torch."""
    torch(tmp_path, cuda)
    flags = stub(tmp_path / ".stubs" / library_, library_)
    package(tmp_path, "user", flags=[*linked(tmp_path, "c10"), *flags])

    assert [one.library for one in audit.other_cuda(audited(tmp_path))] == [library_] * told


#
# Symbols
#


def test_undefined_symbols(tmp_path):
    """Only what nobody defines: torch, a sibling, Python and the C library do; weak ones need not be."""
    torch(tmp_path)
    package(tmp_path, "help.libs", "libelse.so", "void elsewhere(void) {}", soname="libelse.so")
    package(
        tmp_path, "fine", "_C.so",
        call(ALIVE) + "extern void sibling(void), PyErr_Clear(void), getpid(void);"
        "extern void weak(void) __attribute__((weak));"
        "extern void elsewhere(void);"
        "void all(void) { sibling(); elsewhere(); PyErr_Clear(); getpid(); if (weak) weak(); }",
        flags=[*linked(tmp_path, "c10"), f"-L{tmp_path}/help.libs", "-lelse"],
    )  # fmt: skip
    package(tmp_path, "fine", "lib/libsibling.so", "void sibling(void) {}")
    package(tmp_path, "user", "_C.so", call(GONE) + "extern void more(void); void f(void) { more(); }")
    package(tmp_path, "custom", "libops.so", call("never_written"))
    found = {one.file.name: one for one in audit.undefined_symbols(audited(tmp_path))}

    assert {name: one.symbols for name, one in found.items()} == {
        "user/_C.so": (GONE, "more"),
        "custom/libops.so": ("never_written",),
    }
    assert found["user/_C.so"].of_torch
    assert not found["custom/libops.so"].of_torch


@pytest.mark.parametrize("torch_is_new", [True, False])
def test_the_other_abi(tmp_path, torch_is_new):
    """std::string as the other ABI writes it is told as that, whichever torch has."""
    new, old = (f"_ZN3c106failedERK{text}" for text in ("NSt7__cxx1112basic_stringIcE", "Ss"))
    torch(tmp_path, source=f"void {new if torch_is_new else old}(void) {{}}")
    package(tmp_path, "user", source=call(old if torch_is_new else new))
    package(tmp_path, "other", source=call(GONE))
    found = {one.file.package: one.old_abi for one in audit.undefined_symbols(audited(tmp_path))}

    assert found == {"user": True, "other": False}


def test_who_lacks_a_library_is_told_of_that_alone(tmp_path):
    """Its symbols would be in that library; those of an absent driver are in no library here."""
    torch(tmp_path)
    for name in ("libgone.so.1", "libcuda.so.1"):
        flags = stub(tmp_path / ".stubs" / name, name)
        package(
            tmp_path,
            f"needs_{name[3:7]}",
            source=call("gone_too") + call("cuInit").replace("use", "g"),
            flags=flags,
        )
    package(tmp_path, "no_driver", source=call("cuInit"))
    found = {one.file.package: one.symbols for one in audit.undefined_symbols(audited(tmp_path))}

    assert found == {"needs_cuda": ("gone_too",), "no_driver": ("cuInit",)}


def test_demangling():
    """Names as they stand in C++ where c++filt is; never a name lost."""
    named = audit.demangle([ALIVE, "plain"])

    assert named in (["c10::alive()", "plain"], [ALIVE, "plain"])


#
# Versions
#


def test_versions(tmp_path):
    """A version that the library found does not define; a library without versions serves anybody."""
    for name, version, symbol in (
        ("newer", "GLIBC_2.99", "getpid"), ("older", "GLIBC_2.17", "getpid"), ("newest", "GLIBC_2.100", "getpid"),
    ):  # fmt: skip
        flags = stub(tmp_path / ".stubs" / name / "libc.so.6", "libc.so.6", symbol=symbol, version=version)
        package(tmp_path, name, source=call(symbol), flags=flags)
    flags = stub(tmp_path / ".stubs" / "libany.so", "libany.so", version="ANY_9")
    package(tmp_path, "any", source=call("planted_stub"), flags=flags)
    package(tmp_path, "any", "libany.so", "void planted_stub(void) {}", soname="libany.so")
    inventory = audited(tmp_path)
    found = {one.file.package: one for one in audit.unmet_versions(inventory)}

    assert {name: one.version for name, one in found.items()} == {
        "newer": "GLIBC_2.99",
        "newest": "GLIBC_2.100",
    }
    assert found["newer"].newest.startswith("GLIBC_2.")
    assert found["newer"].library.name == "libc.so.6"
    assert audit.newest_need(inventory) == ("GLIBC_2.100", "newest/_C.so")


#
# Device code
#


def test_device_code(tmp_path):
    """How each file serves a GPU, and how much of it does; what has none is not among them."""
    torch(tmp_path, "12.6")
    package(tmp_path, "torch", "lib/libtorch_cuda.so", device_code([["sm_80", "sm_90"], ["sm_90a"]]))
    package(tmp_path, "user", source=device_code([["sm_80", "compute_80"]]))
    package(tmp_path, "nvidia", "lib/libcusparseLt.so.0", device_code([["sm_80"]]))
    found = {one.file.name: one for one in audit.device_code(audited(tmp_path))}

    assert set(found) == {"torch/lib/libtorch_cuda.so", "user/_C.so", "nvidia/lib/libcusparseLt.so.0"}
    torch_cuda, user = found["torch/lib/libtorch_cuda.so"], found["user/_C.so"]
    assert torch_cuda.serves((9, 0)).support is Support.NATIVE
    assert torch_cuda.share((9, 0)) == (2, 2)
    assert torch_cuda.share((8, 0)) == (1, 2)
    assert torch_cuda.serves((7, 0)).support is Support.NONE
    assert user.serves((9, 0)).support is Support.PTX
    assert found["nvidia/lib/libcusparseLt.so.0"].optional
    assert not user.optional


@pytest.mark.parametrize(
    ("cuda", "judged"), [("12.8", ["bits_cuda128.so", "one_cuda118.so"]), (None, ["one_cuda118.so"])]
)
def test_one_file_for_each_cuda(tmp_path, cuda, judged):
    """bitsandbytes loads the file that is named after torch's CUDA; what its others lack is nobody's loss."""
    torch(tmp_path, cuda)
    for name in ("bits_cuda118.so", "bits_cuda128.so", "one_cuda118.so"):
        package(tmp_path, "bitsandbytes", name, device_code([["sm_80"]]))

    assert [one.file.path.name for one in audit.device_code(audited(tmp_path))] == judged


def test_device_code_of_the_system(tmp_path):
    """Libraries that torch loads from outside of Python's folders count too: vendors' images have CUDA in /usr/local."""
    library(tmp_path / "cuda" / "libcublas.so.12", device_code([["sm_80"]]), soname="libcublas.so.12")
    torch(
        tmp_path / "site",
        "12.6",
        more=[f"-L{tmp_path}/cuda", "-l:libcublas.so.12", f"-Wl,-rpath,{tmp_path}/cuda"],
    )
    (found,) = audit.device_code(audited(tmp_path / "site"))

    assert found.file.path == tmp_path / "cuda" / "libcublas.so.12"
    assert found.serves((9, 0)).support is Support.NONE
    assert not found.optional


@pytest.mark.parametrize(
    ("listed", "words"),
    [("sm_80.cubin", ""), ("sm_90.cubin", "its headers say sm_80, cuobjdump lists sm_90"), (None, "")],
)
def test_cuobjdump_has_a_say(tmp_path, monkeypatch, listed, words):
    """Where NVIDIA's tool lists something else, nobody knows; where it fails, the headers stand."""
    package(tmp_path, "user", source=device_code([["sm_80"]]))
    tool = tmp_path / "bin" / "cuobjdump"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n" + (f"echo 'ELF file    1: _C.1.{listed}'" if listed else "exit 1"))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    (found,) = audit.device_code(audited(tmp_path))

    assert found.error == words
    assert found.architectures == {"sm_80"}


def test_an_unknown_layout(tmp_path, monkeypatch):
    """Device code that can't be read is asked of cuobjdump; without one it is an error, and not none."""
    path = package(tmp_path, "user", source=device_code([["sm_80"]]))
    path.write_bytes(path.read_bytes().replace(b"\x50\xed\x55\xba\x01", b"\x50\xed\x55\xba\x07"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (found,) = audit.device_code(audited(tmp_path))
    assert "found version 7; there is no cuobjdump" in found.error

    tool = tmp_path / "bin" / "cuobjdump"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'ELF file    1: _C.1.sm_80.cubin'")
    tool.chmod(0o755)
    (found,) = audit.device_code(audited(tmp_path))
    assert (found.error, found.architectures) == ("", {"sm_80"})


def test_cpu_builds(tmp_path):
    """Beside a torch for CUDA: packages with kernels of which there are none. Others need none."""
    uses = {"source": f"void {ALIVE}x(void) {{}}"}
    package(tmp_path, "torch_scatter", "_scatter_cpu.so", **uses)
    package(tmp_path, "torch_sparse", "_spmm_cuda.so", device_code([["sm_80"]]))
    package(tmp_path, "halves", "_ops_cpu.so", **uses)
    package(tmp_path, "tagged", "_C.so", **uses)
    package(tmp_path, "torchrl", "_torchrl.so", **uses)
    for cuda, told in (("12.6", ["halves", "tagged", "torch_scatter"]), (None, [])):
        torch(tmp_path, cuda)
        found = audit.cpu_builds(audited(tmp_path), {"tagged": "1.0+pt28cpu", "torchrl": "0.9"})

        assert sorted(one.package for one in found) == told


#
# Torch, and wheels
#


@pytest.mark.parametrize(("cuda", "found"), [("12.6", "12.6"), (None, None)])
def test_which_torch(tmp_path, cuda, found):
    """Its version and CUDA as its own file says them; a torch without compiled files is none."""
    (tmp_path / "empty" / "torch").mkdir(parents=True)
    (tmp_path / "empty" / "torch" / "__init__.py").touch()
    torch(tmp_path / "real", cuda)
    inventory = audit.inventory([tmp_path / "empty", tmp_path / "real"], Loader())

    assert inventory.torch == audit.Torch(tmp_path / "real" / "torch", "2.8.0", found)
    assert audit.inventory([tmp_path / "empty"], Loader()).torch is None


def test_a_wheel(tmp_path):
    """A wheel is audited before it is installed, against the torch that is."""
    torch(tmp_path / "site")
    package(tmp_path / "built", "user", source=call(GONE))
    with zipfile.ZipFile(tmp_path / "user-1-cp311-cp311-linux_x86_64.whl", "w") as wheel:
        wheel.write(tmp_path / "built/user/_C.so", "user/_C.so")
        wheel.write(tmp_path / "built/user/_C.so", "user-1.data/platlib/deeper/_C.so")
        wheel.writestr("user/__init__.py", "")
    with audit.unpacked(tmp_path / "user-1-cp311-cp311-linux_x86_64.whl") as folder:
        inventory = audit.inventory([folder, tmp_path / "site"], Loader())
        found = [one.file.name for one in audit.undefined_symbols(inventory)]

    assert found == ["deeper/_C.so", "user/_C.so"]
    assert not folder.exists()
    with (
        pytest.raises(ValueError, match="expected a wheel"),
        audit.unpacked(tmp_path / "built" / "user" / "_C.so"),
    ):
        pass


def test_this_image():
    """The files of this very Python: nothing is wrong with them, and nothing is imported to say so."""
    code = (
        "import sys; from gnnbench.environment import audit; s = audit.inventory();"
        "assert not audit.unloadable(s), audit.unloadable(s);"
        "assert not [m for m in audit.missing_libraries(s) if m.file.with_torch];"
        "assert not audit.undefined_symbols(s); assert not audit.unmet_versions(s);"
        "assert not audit.other_cuda(s); audit.device_code(s);"
        "assert not {'torch', 'numpy'} & set(sys.modules); print(s.torch is not None, len(s.files) > 5)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent
    )

    assert ended.stdout == "True True\n", ended.stderr
