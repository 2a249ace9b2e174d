"""Shared libraries made on the spot, from a few lines of C: faults that live in compiled files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_TIMEOUT_S = 60.0


class NoCompilerError(RuntimeError):
    """There is no C compiler, so a fault in a compiled file can't be planted."""


def compiler() -> str:
    """The C compiler: `$CC`, else the first of cc, gcc and clang on PATH.

    Raises:
        NoCompilerError: where there is none.
    """
    named = os.environ.get("CC", "")
    for candidate in [named] if named else ["cc", "gcc", "clang"]:
        found = shutil.which(candidate)
        if found:
            return found
    where = f"CC={named!r}, which is not on PATH" if named else "neither cc nor gcc nor clang on PATH"
    raise NoCompilerError(f"expected a C compiler, found {where}: apt-get install gcc libc6-dev, or set CC")


def shared_library(source: str, target: Path, *, soname: str = "", flags: Sequence[str] = ()) -> Path:
    """Compile `source` into the shared library `target`, and return its path.

    Args:
        source: C. Nothing is linked but what `flags` name and the C library.
        target: the file to write; its folder is made. What stands there is replaced, never written into, for it
            may be mapped by a process.
        soname: what the loader is to call it; empty for none.
        flags: more for the compiler, after everything else: `["-L.", "-lc10"]`, `["-nostdlib"]`.

    Raises:
        NoCompilerError: where there is no C compiler.
        RuntimeError: where it refuses, with its first complaint.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    text = target.with_name(f"{target.name}.c")
    made = target.with_name(f"{target.name}.tmp")
    text.write_text(source)
    named = [f"-Wl,-soname,{soname}"] if soname else []
    try:
        ended = subprocess.run(
            [compiler(), "-shared", "-fPIC", "-O1", *named, "-o", str(made), str(text), *flags],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    finally:
        text.unlink()
    if ended.returncode != 0:
        complaints = [line for line in ended.stderr.splitlines() if "error" in line] or [ended.stderr.strip()]
        raise RuntimeError(f"{target.name}: expected C that compiles, found {complaints[0]}")
    made.replace(target)
    return target
