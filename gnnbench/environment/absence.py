"""Why torch sees no GPU: the reasons look alike from inside, and each has its own remedy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from gnnbench.environment.cuda import NO_DEVICE, DriverReport, device_nodes, driver, visible_devices


class Reason(str, Enum):
    """What stands between torch and a GPU."""

    NO_HARDWARE = "no hardware"
    CPU_BUILD = "CPU-only build"
    HIDDEN = "hidden"
    NO_DRIVER = "no driver library"
    NO_DEVICE_FILE = "no device file"
    DRIVER_ERROR = "driver error"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Why there is no GPU, and what would bring one."""

    reason: Reason
    summary: str
    fix: str
    faulty: bool
    """Whether the machine offers a GPU that the image fails to use: a fault, required or not."""


def diagnose(
    *,
    build: str | None,
    report: DriverReport,
    nodes: Sequence[str],
    visible: str | None,
    container_visible: str | None = None,
) -> Absence:
    """Why torch counts no GPU.

    Args:
        build: the CUDA version that torch was built for; None for a CPU-only build.
        report: what the driver said.
        nodes: device files of GPUs.
        visible: CUDA_VISIBLE_DEVICES; None where it is not set.
        container_visible: NVIDIA_VISIBLE_DEVICES, which the container runtime reads.
    """
    offered = bool(nodes) or bool(report.gpus)
    seen = ", ".join(nodes) or report.library
    if build is None:
        if offered:
            return Absence(
                reason=Reason.CPU_BUILD,
                summary=f"torch is a CPU-only build on a machine with a GPU ({seen})",
                fix="install a torch that is built for CUDA, for a version that this driver serves",
                faulty=True,
            )
        return Absence(
            reason=Reason.CPU_BUILD,
            summary="torch is a CPU-only build, and no GPU is in sight either",
            fix="use an image with torch built for CUDA, on a machine with an NVIDIA GPU",
            faulty=False,
        )
    if (
        visible is not None
        and not report.gpus
        and (not visible.strip() or visible.strip() in ("-1", "NoDevFiles"))
    ):
        return Absence(
            reason=Reason.HIDDEN,
            summary=f"CUDA_VISIBLE_DEVICES={visible!r} hides every GPU",
            fix="unset CUDA_VISIBLE_DEVICES, or name the GPUs to use",
            faulty=False,
        )
    if report.library is None:
        return Absence(
            reason=Reason.NO_DRIVER if offered else Reason.NO_HARDWARE,
            summary=f"the driver's library can't be loaded: {report.load_error}",
            fix=_container_fix(container_visible),
            faulty=offered,
        )
    if report.died or report.code not in (0, NO_DEVICE):
        return Absence(
            reason=Reason.DRIVER_ERROR,
            summary=report.died or f"cuInit answered {report.code} ({report.code_name})",
            fix=report.explanation or "compare `nvidia-smi` inside the container and on the host",
            faulty=True,
        )
    if not nodes:
        return Absence(
            reason=Reason.NO_DEVICE_FILE,
            summary=f"{report.library} is there and no device file /dev/nvidia* is",
            fix=_container_fix(container_visible),
            faulty=False,
        )
    hidden = visible is not None
    return Absence(
        reason=Reason.HIDDEN if hidden else Reason.UNEXPLAINED,
        summary=(
            f"CUDA_VISIBLE_DEVICES={visible!r} names no GPU that the driver knows"
            if hidden
            else f"{', '.join(nodes)} is there and CUDA counts no GPU"
        ),
        fix=(
            "name GPUs as `nvidia-smi -L` lists them, or unset CUDA_VISIBLE_DEVICES"
            if hidden
            else "look at `nvidia-smi`, at `dmesg | grep -e NVRM -e Xid`, and, with MIG on, for a MIG device"
        ),
        faulty=True,
    )


def _container_fix(container_visible: str | None) -> str:
    if container_visible in ("", "void", "none"):
        return (
            f"NVIDIA_VISIBLE_DEVICES={container_visible!r} keeps GPUs out of the container: set it to `all`"
        )
    return (
        "on a machine with a GPU: install NVIDIA's driver, and start the container with "
        "`docker run --gpus all` (needs nvidia-container-toolkit)"
    )


def gpu_absence() -> Absence | None:
    """Why torch counts no GPU here, or None where it counts one. Imports torch.

    Raises what importing torch raises.
    """
    import torch

    # device_count() and not is_available(), which can be true while no device is visible.
    if torch.cuda.device_count() > 0:
        return None
    return diagnose(
        build=torch.version.cuda,
        report=driver(),
        nodes=device_nodes(),
        visible=visible_devices(),
        container_visible=os.environ.get("NVIDIA_VISIBLE_DEVICES"),
    )
