"""What connects a GPU: PCIe, NVLink, and the fabric of machines with NVSwitch.

Sources: NVML API reference (`nvmlDeviceGetMaxPcieLinkWidth`, `nvmlDeviceGetNvLinkState`,
`nvmlDeviceGetGpuFabricInfo`), Fabric Manager User Guide.
"""

from __future__ import annotations

from collections.abc import Sequence

from gnnbench.environment.health.opinion import Opinion
from gnnbench.environment.nvml import Loss, NvmlGpu

_RESEAT = (
    "reseat the GPU and its riser, and look at the slot's lanes in the firmware set-up: `lspci -vv -s {pci}` shows "
    "LnkCap and LnkSta"
)
_FABRIC = (
    "`systemctl status nvidia-fabricmanager` on the host: its version must be the driver's; start it, then restart "
    "the container"
)
#: nvml.h, NVML_GPU_FABRIC_STATE_*.
_NO_FABRIC, _COMPLETED = 0, 3
_STATES = {1: "has not begun", 2: "is not finished"}
#: Fabric states are told of GPUs from Hopper on.
_FIRST_WITH_FABRIC = 9


def pcie(gpu: NvmlGpu, label: str, *, loaded: bool) -> Opinion:
    """Lanes and generation of the PCIe link against the most that GPU and slot can do.

    A link falls to a lower generation when the GPU idles, and keeps its lanes: the generation is judged where the
    link was `loaded` while it was read.
    """
    opinion = Opinion(label)
    fix = _RESEAT.format(pci=gpu.value("pci_bus_id") or "BUS")
    width, most = (opinion.need(gpu, name, unless="a PCIe link") for name in ("pcie_width", "pcie_width_max"))
    if width is not None and most is not None:
        if width > most:
            opinion.unread.append(f"pcie_width: nonsense: {width} lanes of at most {most}")
        elif width < most:
            opinion.trouble(
                f"its PCIe link runs on {width} of {most} lanes",
                expected=f"{most} lanes",
                cause="a link that was downtrained: a card that sits badly, dirty contacts, a bad riser",
                fix=fix,
            )
    now, most = (
        opinion.need(gpu, name, unless="a PCIe link") for name in ("pcie_generation", "pcie_generation_max")
    )
    if now is None or most is None or now == most:
        return opinion
    if now > most:
        opinion.unread.append(f"pcie_generation: nonsense: generation {now} of at most {most}")
    elif loaded:
        opinion.trouble(
            f"its PCIe link runs at generation {now} of {most} under load",
            expected=f"generation {most}",
            cause="a link that was downtrained, or a slot that the firmware set-up holds to an older generation",
            fix=fix,
        )
    else:
        opinion.unread.append(
            f"pcie_generation: {now} of {most} in a GPU that may idle, and no load could be put on its link"
        )
    return opinion


def nvlink(gpu: NvmlGpu, label: str, *, peers: Sequence[NvmlGpu]) -> Opinion:
    """NVLinks that are down where others are up: to a switch, or on another GPU of the same model."""
    opinion = Opinion(label)
    if opinion.need(gpu, "links", unless="NVLink") is None:
        return opinion
    if not gpu.links:
        opinion.lacks.append("NVLink")
        return opinion
    up = [link for link in gpu.links if link.active]
    down = [str(link.number) for link in gpu.links if not link.active]
    most = max(
        (sum(link.active for link in peer.links) for peer in peers if peer.name == gpu.name), default=len(up)
    )
    if (down and any(link.far_end == "switch" for link in up)) or len(up) < most:
        opinion.trouble(
            f"{len(up)} of its {len(gpu.links)} NVLinks are up; down: {', '.join(down)}",
            expected=f"{max(most, len(gpu.links) if up and up[0].far_end == 'switch' else most)} NVLinks up, as on "
            "its peers and to its switch",
            cause="a link that failed to train, or a bridge that sits badly",
            fix="`nvidia-smi nvlink -s` and `dmesg | grep Xid` (74: NVLink) on the host; reset the GPUs or reboot",
        )
    elif down:
        opinion.remarks.append(f"{len(down)} of {len(gpu.links)} NVLinks are not connected")
    return opinion


def fabric(gpu: NvmlGpu, label: str) -> Opinion:
    """On machines with NVSwitch: whether the GPU has been made part of the fabric. Until then cuInit answers 802."""
    opinion = Opinion(label)
    reading = gpu["fabric"]
    capability = str(gpu.value("capability") or "0").partition(".")[0]
    if reading.loss is Loss.ABSENT and 0 < int(capability) < _FIRST_WITH_FABRIC:
        opinion.lacks.append("a fabric of NVSwitches")
        return opinion
    found = opinion.need(gpu, "fabric", unless="a fabric of NVSwitches")
    if found is None:
        return opinion
    if found["state"] == _NO_FABRIC:
        opinion.lacks.append("a fabric of NVSwitches")
    elif found["state"] != _COMPLETED:
        opinion.trouble(
            f"its registration with the NVSwitch fabric {_STATES[found['state']]}",
            expected="a registration that is completed",
            cause="a Fabric Manager that does not run, or is of another version than the driver",
            fix=_FABRIC,
        )
    elif found["status"]:
        opinion.trouble(
            f"its registration with the NVSwitch fabric failed with NVML's code {found['status']}",
            expected="code 0",
            cause="a Fabric Manager that does not run, or is of another version than the driver",
            fix=_FABRIC,
        )
    return opinion
