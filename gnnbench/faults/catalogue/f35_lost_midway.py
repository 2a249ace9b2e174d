"""F35: a GPU is taken from the container while it runs."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """Two sound GPUs, of which the second can no longer be opened when everything has run."""
    from gnnbench.faults.fake_gpus import Later, installed, sound

    gpus = installed(sound())
    taken = {"gpu1.fail.nvmlDeviceGetHandleByIndex_v2": 999} if broken else {}
    return Later(gpus, {**sound(), **taken})


FAULT = Fault(
    id="F35",
    title="A container loses a GPU while it runs",
    symptom="NVML answered Unknown Error in containers after a systemctl daemon-reload on the host",
    sources=("NVIDIA/nvidia-container-toolkit#48",),
    areas=("DEV",),
    caught_by=("environment/health/still_there",),
    says=("1 of 2 GPUs were lost during the run", "Unknown Error", "daemon-reload"),
    keyword="still_there",
    plant=plant,
)
