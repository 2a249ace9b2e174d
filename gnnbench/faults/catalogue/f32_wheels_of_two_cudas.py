"""F32: NVIDIA's wheels for two CUDA versions overwrite each other's files."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """nvidia-nccl-cu12 beside nvidia-nccl-cu11, or beside another library's wheel."""
    from gnnbench.faults.site import Site

    site = Site()
    for name in ("nvidia_nccl_cu12", "nvidia_nccl_cu11" if broken else "nvidia_cublas_cu12"):
        site.package(name, "2.21.5")
    return site


FAULT = Fault(
    id="F32",
    title="Wheels for CUDA 11 and 12 write the same files",
    symptom="`undefined symbol: ncclCommRegister`, or `ncclMemFree`, when torch is imported",
    sources=("pytorch/pytorch#147001", "pytorch/pytorch#119932"),
    areas=("ENV",),
    caught_by=("environment/packages/nvidia_wheels",),
    says=("nccl: CUDA 11 and 12", "overwrite each other's files"),
    keyword="nvidia_wheels",
    plant=plant,
)
