"""How GPUs hang together, and on which part of the machine: NVLink, PCIe, NUMA nodes, CPUs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnnbench.environment import nvml
from gnnbench.environment.cuda import driver, pci_address
from gnnbench.environment.fact import FactSpec
from gnnbench.environment.nvml import NvmlGpu

_PCI = Path("/sys/bus/pci/devices")


def pci_folder(gpu: NvmlGpu, root: Path = _PCI) -> Path | None:
    """Where the kernel describes the GPU's PCI function; None where its address is not known."""
    address = pci_address(gpu.value("pci_bus_id"))
    # NVML writes the domain with eight digits, the kernel with four.
    return None if address is None else root / "{:04x}:{:02x}:{:02x}.0".format(*address)


def numa_node(gpu: NvmlGpu, root: Path = _PCI) -> int | None:
    """The NUMA node that the GPU hangs on; None where the machine has one only, or the firmware does not tell."""
    folder = pci_folder(gpu, root)
    try:
        node = -1 if folder is None else int((folder / "numa_node").read_text())
    except (OSError, ValueError):
        return None  # hidden in many containers
    return node if node >= 0 else None


def cpus(gpu: NvmlGpu, root: Path = _PCI) -> str | None:
    """The CPUs nearest to the GPU, as `0-15,32-47`: by NVML, else by the kernel."""
    told = gpu.value("cpu_affinity")
    if told:
        return ranges(told)
    folder = pci_folder(gpu, root)
    try:
        return None if folder is None else (folder / "local_cpulist").read_text().strip() or None
    except OSError:
        return None


def ranges(numbers: list[int]) -> str:
    """Sorted numbers with runs drawn together: `0-15,32-47`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def nvlinks(snapshot: nvml.Snapshot) -> dict[str, dict[str, int]]:
    """NVML index → what its active NVLinks lead to → how many: another GPU's index, `switch` or another word."""
    places = {pci_address(gpu.value("pci_bus_id")): str(gpu.index) for gpu in snapshot.gpus}
    found: dict[str, dict[str, int]] = {}
    for gpu in snapshot.gpus:
        row = found.setdefault(str(gpu.index), {})
        for link in gpu.links:
            if link.active:
                address = pci_address(link.far_pci_bus_id)
                end = places.get(address, link.far_end) if address is not None else link.far_end
                row[end] = row.get(end, 0) + 1
    return found


def matrix(snapshot: nvml.Snapshot) -> dict[str, dict[str, str]]:
    """NVML index → NVML index → how they are connected, in the words of `nvidia-smi topo -m`.

    `NV4` four NVLinks, `NVS` a switch that both hang on, else the way over PCIe: PIX, PXB, PHB, NODE, SYS.
    """
    links = nvlinks(snapshot)
    found: dict[str, dict[str, str]] = {}
    for gpu in snapshot.gpus:
        row = found.setdefault(str(gpu.index), {})
        for other in snapshot.gpus:
            if other.index == gpu.index:
                continue
            direct = links[str(gpu.index)].get(str(other.index), 0)
            switched = all(links[str(one.index)].get("switch") for one in (gpu, other))
            way = f"NV{direct}" if direct else "NVS" if switched else gpu.levels.get(str(other.index))
            if way:
                row[str(other.index)] = way
    return found


def peers() -> list[list[bool | None]]:
    """By CUDA's numbers, whether one GPU can reach another's memory directly: cuDeviceCanAccessPeer."""
    return [list(row) for row in driver().peers]


def _of_each(read: Any) -> Mapping[str, Any]:
    return {gpu.uuid or str(gpu.index): read(gpu) for gpu in nvml.first().gpus}


FACTS = (
    FactSpec("hardware.nvlink", "NVLinks that are up", lambda: nvlinks(nvml.first())),
    FactSpec("hardware.topology", "Ways between GPUs", lambda: matrix(nvml.first())),
    FactSpec("hardware.peer_access", "GPUs that reach each other's memory", peers),
    FactSpec("hardware.numa_nodes", "NUMA node of each GPU", lambda: _of_each(numa_node)),
    FactSpec("hardware.cpu_affinity", "CPUs nearest to each GPU", lambda: _of_each(cpus)),
)
