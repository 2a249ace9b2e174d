"""The machine: CPU, memory, GPUs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gnnbench.environment import nvml
from gnnbench.environment.cuda import driver
from gnnbench.environment.fact import FactSpec
from gnnbench.environment.nvml import Loss, NvmlGpu
from gnnbench.record import Device

_HAS_NOT = Loss.UNSUPPORTED
#: Readings that stand in `hardware.gpus` as they are.
_TOLD = (
    "capability",
    "pci_bus_id",
    "vbios",
    "pcie_width",
    "pcie_width_max",
    "pcie_generation",
    "pcie_generation_max",
    "power_limit",
    "power_default",
    "clock_sm_max",
    "clock_memory_max",
    "persistence_mode",
    "compute_mode",
    "temperature",
)


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
    """Every GPU that NVML knows, in NVML's order, with its number in CUDA; empty where there is no NVML.

    Units: bytes, W, MHz, °C. What can't be read is None; `hardware.gpus_unread` says why.
    """
    found = nvml.first()
    if found.problem is not None:
        _raise_where_expected(found.problem)
    ordinals = {
        gpu.index: ordinal
        for ordinal, gpu in found.of(driver().gpus).items()
        if gpu is not None and not gpu.mig
    }
    return [_described(gpu, ordinals.get(gpu.index)) for gpu in found.gpus]


def _described(gpu: NvmlGpu, ordinal: int | None) -> dict[str, Any]:
    memory, mig, ecc = gpu.value("memory"), gpu.value("mig_mode"), gpu.value("ecc_mode")
    return {
        "index": gpu.index,
        "ordinal": ordinal,
        "uuid": gpu.uuid or None,
        "name": gpu.value("name"),
        "memory_bytes": None if memory is None else memory["total"],
        "mig": None if mig is None else bool(mig[0]),
        "mig_uuids": list(gpu.mig_uuids),
        "ecc": None if ecc is None else bool(ecc[0]),
        **{name: gpu.value(name) for name in _TOLD},
    }


def unread() -> dict[str, dict[str, str]]:
    """GPU → what NVML was asked of it without a usable answer → why; what a GPU has not at all is left out."""
    return {
        gpu.label(): why
        for gpu in nvml.first().gpus
        if (why := {name: one.why for name, one in gpu.readings.items() if one.loss not in (None, _HAS_NOT)})
    }


def _raise_where_expected(problem: nvml.Problem) -> None:
    # No driver is no error; a driver without answer is one.
    if driver().gpus:
        raise nvml.NvmlUnavailableError(problem)


def driver_version() -> str | None:
    """The version of NVIDIA's driver; None where there is none."""
    found = nvml.first()
    if found.problem is not None:
        _raise_where_expected(found.problem)
        return None
    return nvml.driver_version()


def gpu_models() -> list[str]:
    """The GPUs that this process may use, in CUDA's order."""
    return [gpu.name for gpu in driver().gpus]


def gpu_count() -> int:
    """How many GPUs this process may use."""
    return len(driver().gpus)


def capabilities() -> list[str]:
    """The compute capabilities of the GPUs that this process may use, each once, lowest first."""
    found = {gpu.capability for gpu in driver().gpus}
    return sorted(found, key=lambda text: tuple(map(int, text.split("."))))


def gpu_memory() -> int | None:
    """Bytes of memory of the smallest GPU that this process may use."""
    return min((gpu.memory_bytes for gpu in driver().gpus), default=None)


def _least(name: str) -> Callable[[], Any]:
    """The least value of a reading among the GPUs in use; None where none of them tells."""
    return lambda: min(_of_used(name), default=None)


def _of_used(name: str) -> list[Any]:
    found = nvml.first().of(driver().gpus).values()
    return [gpu.value(name) for gpu in found if gpu is not None and gpu.value(name) is not None]


def mig_devices() -> int:
    """How many MIG devices the GPUs here are cut into."""
    return sum(len(gpu.mig_uuids) for gpu in nvml.first().gpus)


def modes(name: str) -> list[bool]:
    """Whether a mode is on, of each GPU in use that tells, in CUDA's order."""
    return [bool(value[0] if isinstance(value, list) else value) for value in _of_used(name)]


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
    partners = nvml.first().of(found) if found else {}

    def describe(ordinal: int, name: str) -> str:
        # NVML names the product in full where CUDA may shorten it; the UUID says which is which.
        partner = partners.get(ordinal)
        return name if partner is None or partner.mig or not partner.value("name") else partner.name

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
    FactSpec("hardware.gpu_count", "Number of GPUs in use", gpu_count, comparable=True, rule="at least"),
    FactSpec("hardware.capabilities", "Compute capabilities", capabilities, rule="equal"),
    FactSpec(
        "hardware.gpu_memory", "Memory of the smallest GPU in use", gpu_memory, unit="B", rule="at least"
    ),
    FactSpec("hardware.power_limit", "Least power limit", _least("power_limit"), unit="W", comparable=True),
    FactSpec("hardware.pcie_width", "Fewest PCIe lanes in use", _least("pcie_width"), comparable=True),
    FactSpec(
        "hardware.pcie_width_max", "Fewest PCIe lanes at most", _least("pcie_width_max"), rule="at least"
    ),
    # The generation falls when a GPU idles: what it is now says little, and is no reason not to compare.
    FactSpec("hardware.pcie_generation", "Oldest PCIe generation now", _least("pcie_generation")),
    FactSpec(
        "hardware.pcie_generation_max",
        "Oldest PCIe generation at most",
        _least("pcie_generation_max"),
        comparable=True,
        rule="at least",
    ),
    FactSpec("hardware.clock_sm_max", "Lowest SM clock at most", _least("clock_sm_max"), unit="MHz"),
    FactSpec(
        "hardware.clock_memory_max", "Lowest memory clock at most", _least("clock_memory_max"), unit="MHz"
    ),
    FactSpec("hardware.ecc", "ECC on", lambda: modes("ecc_mode"), comparable=True),
    FactSpec("hardware.mig", "MIG on", lambda: modes("mig_mode"), comparable=True),
    FactSpec("hardware.mig_devices", "MIG devices", mig_devices),
    FactSpec("hardware.persistence", "Persistence mode on", lambda: modes("persistence_mode")),
    FactSpec("hardware.gpus", "GPUs of the machine", gpus),
    FactSpec("hardware.gpus_unread", "What the GPUs do not tell", unread),
    FactSpec("hardware.driver_version", "NVIDIA driver", driver_version, comparable=True, rule="at least"),
    FactSpec("hardware.cpu_model", "CPU", cpu_model, comparable=True),
    FactSpec("hardware.cores", "Physical cores", cores),
    FactSpec(
        "hardware.usable_cpus", "CPUs this process may use", usable_cpus, comparable=True, rule="at least"
    ),
    FactSpec("hardware.memory", "Memory", memory_bytes, unit="B", rule="at least"),
)
