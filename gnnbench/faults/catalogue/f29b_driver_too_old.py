"""F29b: the host's driver is older than the CUDA of the image."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A driver for CUDA 11.8, or 12.2, beneath a torch that was built for 12.4."""
    import torch

    from gnnbench.faults.fake_gpus import installed, sound

    installed({**sound(1), "cuda": 11080 if broken else 12020})
    torch.version.cuda = "12.4"
    torch.cuda.device_count = lambda: 1


FAULT = Fault(
    id="F29b",
    title="The driver is of an older major version than the image's CUDA",
    symptom="`The NVIDIA driver on your system is too old`, or CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    sources=("NVIDIA/nvidia-docker#1256",),
    areas=("ENV",),
    caught_by=("environment/gpu/driver",),
    says=(
        "the driver is older than the CUDA of this image",
        "one for CUDA 11.8",
        "upgrade the host's driver",
    ),
    keyword="gpu and test_driver",
    plant=plant,
)
