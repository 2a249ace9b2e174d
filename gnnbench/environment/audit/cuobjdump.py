"""NVIDIA's own lister of device code, where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

_TIMEOUT_S = 60.0


def find() -> str | None:
    """cuobjdump on PATH, else in the CUDA toolkit that CUDA_HOME or CUDA_PATH names; None where there is none."""
    homes = [home for name in ("CUDA_HOME", "CUDA_PATH") if (home := os.environ.get(name))]
    return shutil.which(
        "cuobjdump", path=os.pathsep.join([os.environ.get("PATH", ""), *(f"{h}/bin" for h in homes)])
    )


def architectures(tool: str, path: Path) -> frozenset[str]:
    """The architectures that `tool` lists for the file at `path`: `{"sm_90a", "compute_90"}`.

    It leaves the suffix `f` off machine code: `sm_100f` is listed as `sm_100`.

    Raises:
        RuntimeError: where it can't be run, fails or does not end.
    """
    try:
        ended = subprocess.run(
            [tool, "--list-elf", "--list-ptx", str(path)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"{tool}: {error}") from None
    if ended.returncode != 0:
        words = ended.stderr.strip() or f"exit status {ended.returncode}"
        raise RuntimeError(f"{tool} {path}: {words.splitlines()[-1]}")
    listed = re.findall(
        r"^(ELF|PTX) file +\d+: .*\.(sm|compute)_(\d+[af]?)\.(?:cubin|ptx)$", ended.stdout, re.MULTILINE
    )
    return frozenset(f"{'sm' if kind == 'ELF' else 'compute'}_{number}" for kind, _, number in listed)


def agrees(parsed: frozenset[str], listed: frozenset[str]) -> bool:
    """Whether what was read from the file and what cuobjdump lists are the same, apart from the suffix `f`."""
    return {name.removesuffix("f") for name in parsed} == {name.removesuffix("f") for name in listed}
