"""The machine: CPU, memory, GPUs."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gnnbench.environment import nvml
from gnnbench.environment.cuda import driver, join
from gnnbench.environment.fact import FactSpec
from gnnbench.record import Device


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """The CPU as the kernel names it; Arm kernels give no name."""
    match = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
    return match[1].strip() if match else None


def cores() -> int | None:
    """Physical cores of the machine; None in containers and on CPUs that do not tell."""
    import psutil

    count: int | None = psutil.cpu_count(logical=False)
    return count


def usable_cpus() -> int:
    """Logical CPUs that this process may run on."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    """The machine's memory; the control group may allow less."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def gpus() -> list[dict[str, Any]]:
    """Every GPU that NVML knows, in NVML's order; empty where there is no NVML."""
    try:
        return [asdict(gpu) for gpu in nvml.gpus()]
    except nvml.NvmlUnavailableError:
        # No driver is no error; a driver without answer is one.
        if driver().gpus:
            raise
        return []


def driver_version() -> str | None:
    """The version of NVIDIA's driver; None where there is none."""
    try:
        return nvml.driver_version()
    except nvml.NvmlUnavailableError:
        if driver().gpus:
            raise
        return None


def gpu_models() -> list[str]:
    """The GPUs that this process may use, in CUDA's order."""
    return [gpu.name for gpu in driver().gpus]


def devices() -> tuple[Device, ...]:
    """The CPU and every GPU that CUDA shows this process, in CUDA's order. Never raises."""
    return (_cpu(), *_gpus())


def _cpu() -> Device:
    try:
        model = cpu_model() or os.uname().machine
    except OSError:
        model = os.uname().machine
    return Device(name="cpu", kind="cpu", model=model, memory_bytes=memory_bytes())


def _gpus() -> tuple[Device, ...]:
    found = driver().gpus
    try:
        known = nvml.gpus() if found else ()
    except nvml.NvmlUnavailableError:
        known = ()
    positions = join(found, [gpu.uuid for gpu in known])

    def describe(ordinal: int, name: str) -> str:
        # NVML names the product in full where CUDA may shorten it; the UUID says which is which.
        position = positions[ordinal]
        return name if position is None else known[position].name

    return tuple(
        Device(
            name=f"cuda:{gpu.ordinal}",
            kind="cuda",
            model=describe(gpu.ordinal, gpu.name),
            uuid=gpu.uuid,
            memory_bytes=gpu.memory_bytes,
            capability=gpu.capability,
        )
        for gpu in found
    )


FACTS = (
    FactSpec("hardware.gpu_models", "GPUs in use", gpu_models, comparable=True, rule="equal"),
    FactSpec("hardware.gpus", "GPUs of the machine", gpus),
    FactSpec("hardware.driver_version", "NVIDIA driver", driver_version, comparable=True, rule="at least"),
    FactSpec("hardware.cpu_model", "CPU", cpu_model, comparable=True),
    FactSpec("hardware.cores", "Physical cores", cores),
    FactSpec(
        "hardware.usable_cpus", "CPUs this process may use", usable_cpus, comparable=True, rule="at least"
    ),
    FactSpec("hardware.memory", "Memory", memory_bytes, unit="B", rule="at least"),
)
