"""Facts about the torch that is installed. Importing torch is all that they do; none initialises CUDA."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gnnbench.environment.fact import FactSpec


def _of_torch(read: Callable[[Any], Any]) -> Callable[[], Any]:
    """A reader that is handed torch, imported when it reads and not before."""

    def reader() -> Any:
        import torch

        return read(torch)

    return reader


def arch_list(torch: Any) -> list[str]:
    """The GPU architectures that torch was built for; empty for a CPU-only build.

    Not `torch.cuda.get_arch_list()`: that asks the driver, and answers with an empty list where no GPU is.
    """
    flags = getattr(torch._C, "_cuda_getArchFlags", None)  # noqa: SLF001
    return [] if flags is None else str(flags() or "").split()


def compiled_cudnn(torch: Any) -> str | None:
    """The cuDNN that torch was compiled against."""
    cudnn = getattr(torch._C, "_cudnn", None)  # noqa: SLF001
    return None if cudnn is None else ".".join(map(str, cudnn.getCompileVersion()))


def nccl_version(torch: Any) -> str | None:
    """The NCCL that torch carries or loads."""
    if getattr(torch._C, "_nccl_version", None) is None:  # noqa: SLF001
        return None
    return ".".join(map(str, torch.cuda.nccl.version()))


def cpu_capability(torch: Any) -> str | None:
    """The vector instructions that torch's CPU kernels use here."""
    match = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
    return match[1] if match else None


def blas(torch: Any) -> str | None:
    """The BLAS that torch was built with."""
    match = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    return match[1] if match else None


FACTS = (
    FactSpec(
        "torch.version",
        "torch",
        _of_torch(lambda torch: str(torch.__version__)),
        comparable=True,
        rule="specifier",
    ),
    FactSpec(
        "torch.cuda",
        "Built for CUDA",
        _of_torch(lambda torch: torch.version.cuda),
        comparable=True,
        rule="equal",
    ),
    FactSpec(
        "torch.hip",
        "Built for ROCm",
        _of_torch(lambda torch: torch.version.hip),
        comparable=True,
        rule="equal",
    ),
    FactSpec(
        "torch.arch_list", "Built for architectures", _of_torch(arch_list), comparable=True, rule="includes"
    ),
    FactSpec("torch.cudnn", "Built for cuDNN", _of_torch(compiled_cudnn), comparable=True, rule="specifier"),
    FactSpec("torch.nccl", "NCCL", _of_torch(nccl_version), comparable=True, rule="specifier"),
    FactSpec("torch.commit", "Commit of torch", _of_torch(lambda torch: torch.version.git_version)),
    FactSpec(
        "torch.debug",
        "Debug build",
        _of_torch(lambda torch: torch.version.debug),
        comparable=True,
        rule="equal",
    ),
    FactSpec(
        "torch.cxx11_abi", "C++11 ABI", _of_torch(lambda torch: torch.compiled_with_cxx11_abi()), rule="equal"
    ),
    FactSpec("torch.blas", "BLAS", _of_torch(blas), comparable=True, rule="equal"),
    FactSpec("torch.cpu_capability", "CPU instructions", _of_torch(cpu_capability), comparable=True),
    FactSpec(
        "torch.threads",
        "Threads of one operator",
        _of_torch(lambda torch: torch.get_num_threads()),
        comparable=True,
    ),
)
