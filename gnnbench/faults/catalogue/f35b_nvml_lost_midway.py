"""F35: NVML as a whole is gone at the end of the run."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """Two sound GPUs, and a driver that can't be spoken with when everything has run."""
    from gnnbench.faults.fake_gpus import Later, installed, sound

    gpus = installed(sound())
    return Later(gpus, {**sound(), **({"fail.nvmlInitWithFlags": 18} if broken else {})})


FAULT = Fault(
    id="F35b",
    title="The driver is updated under a container while it runs",
    symptom="nvidia-smi said Driver/library version mismatch, and programs that ran went on until they ended",
    sources=("NVIDIA/nvidia-container-toolkit#48",),
    areas=("DEV",),
    caught_by=("environment/health/still_there",),
    says=("2 of 2 GPUs were lost during the run", "version mismatch"),
    keyword="still_there",
    plant=plant,
)
