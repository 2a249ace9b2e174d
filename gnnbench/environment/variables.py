"""Environment variables that change what torch, CUDA, NCCL and the loader do."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from gnnbench.environment.fact import FactSpec

#: Beginnings of names.
PREFIXES = (
    "CUBLAS_",
    "CUDA_",
    "CUDNN_",
    "GLOO_",
    "KMP_",
    "MKL_",
    "NCCL_",
    "NVIDIA_",
    "OMP_",
    "PYTORCH_",
    "TORCH_",
)
NAMES = ("LD_LIBRARY_PATH", "LD_PRELOAD")
#: Such as NVIDIA_API_KEY: they stand under a prefix that is recorded, and must not be.
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def is_recorded(name: str) -> bool:
    """Whether a variable of this name is recorded where it is set."""
    return (name in NAMES or name.startswith(PREFIXES)) and not _SECRET.search(name)


def recorded(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that change behaviour, sorted by name; never a secret, never any other variable."""
    return {name: _USERINFO.sub("…", value) for name, value in sorted(environ.items()) if is_recorded(name)}


FACTS = (FactSpec("variables.set", "Variables that change behaviour", recorded),)
