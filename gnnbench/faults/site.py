"""A folder of packages that Python finds before all others: where faults of compiled files are planted."""

from __future__ import annotations

import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gnnbench.faults.native import compiler, shared_library


class Site:
    """A new folder at the head of sys.path and of PYTHONPATH, for packages that are not what they should be.

    Returned by a plant, it is a pytest plugin that takes the folder away at the end.

    Raises:
        NoCompilerError: where there is no C compiler to fill it with.
    """

    def __init__(self) -> None:
        compiler()  # which raises where there is none, before there is anything to take away
        self.folder = Path(tempfile.mkdtemp(prefix="gnnbench-site-"))
        sys.path.insert(0, str(self.folder))
        # For the probes in child processes, which are to find what this process finds.
        paths = [str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)

    def pytest_unconfigure(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def package(self, name: str, version: str = "1.0", init: str = "") -> Path:
        """An installed distribution `name` with a package of that name; returns the package's folder."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "__init__.py").write_text(init)
        metadata = self.folder / f"{name}-{version}.dist-info"
        metadata.mkdir()
        distribution = name.replace("_", "-")
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (metadata / "RECORD").write_text(
            f"{name}/__init__.py,,\n{metadata.name}/METADATA,,\n{metadata.name}/RECORD,,\n"
        )
        return folder

    def torch(self, cuda: str | None, architectures: Sequence[str]) -> Path:
        """A torch by its files alone: what `version.py` says, and a libtorch_cuda.so with that device code.

        Whoever has imported torch keeps it, and child processes import the real one: this one is for those who read
        files.
        """
        os.environ["PYTHONPATH"] = os.environ["PYTHONPATH"].partition(os.pathsep)[2]
        folder = self.folder / "torch"
        folder.mkdir()
        (folder / "__init__.py").write_text("raise ImportError('planted for its files alone')\n")
        (folder / "version.py").write_text(f"__version__ = '2.0.0'\ndebug = False\ncuda = {cuda!r}\n")
        shared_library(
            "int c10_planted;", folder / "lib" / "libc10.so", soname="libc10.so", flags=["-nostdlib"]
        )
        if architectures:
            library = folder / "lib" / "libtorch_cuda.so"
            shared_library(device_code([architectures]), library, soname=library.name, flags=["-nostdlib"])
        return folder


def stub(target: Path, soname: str, *, symbol: str = "planted_stub", version: str = "") -> list[str]:
    """Compile a library that is there to be linked against, and return the flags that link with it.

    Args:
        target: the file; not to be installed.
        soname: what files that are linked with it will ask for.
        symbol: that it defines.
        version: of that symbol, `GLIBC_2.99`; empty for none.
    """
    flags = ["-nostdlib"]
    if version:
        script = target.with_name(f"{target.name}.map")
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f"{version} {{ global: {symbol}; }};\n")
        flags.append(f"-Wl,--version-script={script}")
    shared_library(f"void {symbol}(void) {{}}", target, soname=soname, flags=flags)
    return ["-Wl,--no-as-needed", f"-L{target.parent}", f"-l:{target.name}"]


def device_code(containers: Sequence[Sequence[str]]) -> str:
    """C that puts a fat binary into `.nv_fatbin`, with an entry without code for each architecture of each container.

    The layout is that of `gnnbench.environment.audit.fatbin`.
    """
    data = b"".join(map(container, containers))
    numbers = ",".join(map(str, data))
    return f'static const unsigned char fatbin[] __attribute__((section(".nv_fatbin"), aligned(8), used)) = {{{numbers}}};\n'


def container(architectures: Sequence[str]) -> bytes:
    """One container: `["sm_80", "sm_90a", "compute_90"]`."""
    entries = b"".join(map(_entry, architectures))
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(entries)) + entries


def _entry(architecture: str) -> bytes:
    kind, number = architecture.split("_")
    flags = {"a": 0x100000, "f": 0x200000}.get(number[-1], 0) | 0x11
    payload = b"\x7fELF\x02\x01\x01\x41" if kind == "sm" else b".version"
    return (
        struct.pack(
            "<HHIQIIIIIIQQQ",
            *({"sm": 2, "compute": 1}[kind], 0x101, 64, len(payload)),
            *(0, 0, 0x10008, int(number.rstrip("af")), 0, 0, flags, 0, 0),
        )
        + payload
    )
