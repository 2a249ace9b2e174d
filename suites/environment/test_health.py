"""What the GPUs say of their own health, and whether they are still there at the end."""

from __future__ import annotations

import torch

from gnnbench.checks import Evidence, check, fail, inconclusive, not_applicable
from gnnbench.environment import NvmlGpu, NvmlUnavailableError, driver, gpu_absence, join, nvml

AtStart = tuple[NvmlGpu, ...] | NvmlUnavailableError


def _known(gpus_at_start: AtStart) -> tuple[NvmlGpu, ...]:
    absence = gpu_absence()
    if absence is not None:
        not_applicable(absence.summary, needs="cuda", fix=absence.fix)
    if isinstance(gpus_at_start, NvmlUnavailableError):
        inconclusive(
            f"NVML could not be asked: {gpus_at_start}",
            expected="the list of GPUs",
            cause="a container without the `utility` driver capability",
            fix="start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        )
    return gpus_at_start


@check(catches=("F39",), fix="`nvidia-smi -q`, and `dmesg | grep Xid` on the host; drain the machine")
def test_faultless(device: torch.device, gpus_at_start: AtStart, evidence: Evidence) -> None:
    """A GPU reports no uncorrected memory error and no failed row remapping, and uses all its PCIe lanes."""
    known = _known(gpus_at_start)
    if device.type != "cuda":
        not_applicable(f"{device} has no NVML", needs="cuda", fix="gnnbench run --device cuda")
    position = join(driver().gpus, [gpu.uuid for gpu in known]).get(device.index)
    if position is None:
        inconclusive(f"NVML tells nothing of {device}", cause="a MIG device: its GPU's health is the host's")
    gpu = known[position]
    for name in ("uuid", "ecc_errors", "remap_failed", "pcie_width", "pcie_width_max", "throttle_reasons"):
        evidence.fact(name, getattr(gpu, name))
    faults = nvml.faults(gpu)
    if faults:
        fail(f"{gpu.name} is not healthy: {faults[0]}", expected="no fault", found="; ".join(faults))


@check(
    catches=("F35",),
    fix="`dmesg | grep Xid` on the host; with cgroup v2 upgrade nvidia-container-toolkit, or use CDI",
)
def test_still_there(gpus_at_start: AtStart, evidence: Evidence) -> None:
    """After all other checks, every GPU that was there at the start still answers."""
    known = _known(gpus_at_start)
    lost = nvml.lost(known)
    evidence.fact("lost", lost)
    if lost:
        fail(
            f"{len(lost)} of {len(known)} GPUs were lost during the run",
            expected="every GPU to answer as at the start",
            found="; ".join(f"{uuid}: {why}" for uuid, why in lost.items()),
            cause="a GPU that fell off its bus, or a `systemctl daemon-reload` that took the container's devices",
        )
