"""F29: the image brings a cuda-compat that this GPU does not support."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A driver whose cuInit answers 804, beneath a torch for CUDA; in the twin it answers, and torch counts a GPU."""
    import torch

    from gnnbench.faults.fake_gpus import installed, sound

    installed({**sound(1), **({"fail.cuInit": 804} if broken else {})})
    torch.version.cuda = "12.4"
    torch.cuda.device_count = lambda: 0 if broken else 1


FAULT = Fault(
    id="F29",
    title="cuInit answers 804: a compat library on a GPU without support for it",
    symptom="`Error 804: forward compatibility was attempted on non supported HW`",
    sources=("NVIDIA/nvidia-docker#1515", "NVIDIA/nvidia-docker#1294"),
    areas=("ENV",),
    caught_by=("environment/gpu/present",),
    says=("cuInit answered 804", "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "/usr/local/cuda/compat"),
    keyword="gpu and test_present",
    plant=plant,
)
