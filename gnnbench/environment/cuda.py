"""The CUDA driver, asked through its own library in a child process; and what CUDA code a GPU can run."""

from __future__ import annotations

import ctypes
import os
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gnnbench.environment import child
from gnnbench.environment.fact import FactSpec

DRIVER_LIBRARY = "libcuda.so.1"
#: Initialising a driver that still has to load its module into the kernel takes a few seconds for each GPU.
_TIMEOUT_S = 120.0
_SUCCESS = 0
NO_DEVICE = 100
_ATTRIBUTE_MAJOR, _ATTRIBUTE_MINOR = 75, 76

#: CUresult codes that people meet at cuInit, and what they mean (CUDA Driver API, "Data types").
CODES = {
    0: ("CUDA_SUCCESS", ""),
    3: ("CUDA_ERROR_NOT_INITIALIZED", "the process was forked after CUDA had been initialised"),
    34: (
        "CUDA_ERROR_STUB_LIBRARY",
        "the toolkit's stub was loaded in place of the driver: take `stubs` out of LD_LIBRARY_PATH",
    ),
    36: ("CUDA_ERROR_DEVICE_UNAVAILABLE", "another process holds the GPU in exclusive mode"),
    100: ("CUDA_ERROR_NO_DEVICE", "the driver was loaded and finds no GPU that it may use"),
    101: ("CUDA_ERROR_INVALID_DEVICE", "CUDA_VISIBLE_DEVICES or a MIG setting names a GPU that is not there"),
    802: (
        "CUDA_ERROR_SYSTEM_NOT_READY",
        "on machines with NVSwitch the Fabric Manager must run: `systemctl status nvidia-fabricmanager`",
    ),
    803: (
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        "driver library and kernel module differ: reboot after an update, or the image has its own libcuda",
    ),
    804: (
        "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
        "this GPU does not support the image's cuda-compat: hide /usr/local/cuda/compat or update the driver",
    ),
    999: (
        "CUDA_ERROR_UNKNOWN",
        "nvidia-uvm not loaded, a device file that may not be opened, or a GPU in error (`dmesg | grep Xid`)",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaGpu:
    """One GPU as the CUDA driver numbers it, after CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER."""

    ordinal: int
    """The number in `cuda:0`."""
    uuid: str
    """`GPU-8dd0d1d7-...`, or the same digits of a MIG device."""
    name: str
    memory_bytes: int
    capability: str
    """`9.0`."""
    pci_bus_id: str = ""
    """`0000:3b:00.0`; empty where the driver does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverReport:
    """What became of asking the driver."""

    library: str | None = None
    """The file that was loaded; None where none could be."""
    load_error: str = ""
    code: int | None = None
    """cuInit's answer; None where it gave none."""
    version: str | None = None
    """The newest CUDA that the driver serves, as `12.4`."""
    gpus: tuple[CudaGpu, ...] = ()
    peers: tuple[tuple[bool | None, ...], ...] = ()
    """By CUDA's numbers, whether the row's GPU can reach the column's memory; None for itself and where not told."""
    died: str = ""
    """How the probe ended, where it crashed, hung or raised."""

    @property
    def code_name(self) -> str | None:
        """cuInit's answer by name."""
        return None if self.code is None else CODES.get(self.code, (f"CUDA error {self.code}", ""))[0]

    @property
    def explanation(self) -> str:
        """What most likely causes cuInit's answer; empty where we know nothing."""
        return "" if self.code is None else CODES.get(self.code, ("", ""))[1]


def ask_driver(library: str = DRIVER_LIBRARY) -> DriverReport:
    """Load the driver's library, initialise it and list its GPUs, all in a child process."""
    try:
        # Where there is none, there is no need for a child. Loading alone initialises nothing.
        ctypes.CDLL(library)
    except OSError as error:
        return DriverReport(load_error=str(error))
    report = child.run(f"{__name__}:enumerate_gpus", library, timeout=_TIMEOUT_S)
    if not report.ok:
        return DriverReport(library=library, died=report.describe())
    answer = report.value
    return DriverReport(
        library=answer["library"],
        code=answer["code"],
        version=answer["version"],
        gpus=tuple(CudaGpu(**gpu) for gpu in answer["gpus"]),
        peers=tuple(tuple(row) for row in answer["peers"]),
    )


@cache
def driver() -> DriverReport:
    """`ask_driver`, once in this process."""
    return ask_driver()


def enumerate_gpus(library: str) -> dict[str, Any]:
    """In a child: what cuInit says and which GPUs there are. Initialises the driver in this process."""
    cuda = ctypes.CDLL(library)
    code = cuda.cuInit(0)
    version = ctypes.c_int()
    known = cuda.cuDriverGetVersion(ctypes.byref(version)) == _SUCCESS
    count = ctypes.c_int()
    if code == _SUCCESS:
        _succeed(cuda.cuDeviceGetCount(ctypes.byref(count)), "cuDeviceGetCount")
    return {
        "code": code,
        # 12040 is CUDA 12.4.
        "version": f"{version.value // 1000}.{version.value % 1000 // 10}" if known else None,
        "library": _mapped_path(library),
        "gpus": [_gpu(cuda, ordinal) for ordinal in range(count.value)],
        "peers": [[_reaches(cuda, one, other) for other in range(count.value)] for one in range(count.value)],
    }


def _reaches(cuda: ctypes.CDLL, ordinal: int, other: int) -> bool | None:
    if ordinal == other or not hasattr(cuda, "cuDeviceCanAccessPeer"):
        return None
    one, peer, reaches = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    _succeed(cuda.cuDeviceGet(ctypes.byref(one), ordinal), "cuDeviceGet")
    _succeed(cuda.cuDeviceGet(ctypes.byref(peer), other), "cuDeviceGet")
    known = cuda.cuDeviceCanAccessPeer(ctypes.byref(reaches), one, peer) == _SUCCESS
    return bool(reaches.value) if known else None


def _gpu(cuda: ctypes.CDLL, ordinal: int) -> dict[str, Any]:
    device, raw, name = ctypes.c_int(), (ctypes.c_ubyte * 16)(), ctypes.create_string_buffer(256)
    memory, major, minor = ctypes.c_size_t(), ctypes.c_int(), ctypes.c_int()
    address = ctypes.create_string_buffer(32)
    _succeed(cuda.cuDeviceGet(ctypes.byref(device), ordinal), "cuDeviceGet")
    # _v2 tells the MIG devices of one GPU apart; drivers before 11.4 lack it.
    get_uuid = getattr(cuda, "cuDeviceGetUuid_v2", None) or cuda.cuDeviceGetUuid
    _succeed(get_uuid(raw, device), "cuDeviceGetUuid")
    _succeed(cuda.cuDeviceGetName(name, len(name), device), "cuDeviceGetName")
    _succeed(cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device), "cuDeviceTotalMem")
    for value, attribute in ((major, _ATTRIBUTE_MAJOR), (minor, _ATTRIBUTE_MINOR)):
        _succeed(cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device), "cuDeviceGetAttribute")
    # Needed only where NVML does not tell a UUID: no reason to give the GPU up.
    get_address = getattr(cuda, "cuDeviceGetPCIBusId", None)
    told = get_address is not None and get_address(address, len(address), device) == _SUCCESS
    return {
        "ordinal": ordinal,
        "uuid": f"GPU-{uuid.UUID(bytes=bytes(raw))}",
        "name": name.value.decode("utf-8", "replace"),
        "memory_bytes": memory.value,
        "capability": f"{major.value}.{minor.value}",
        "pci_bus_id": address.value.decode("ascii", "replace") if told else "",
    }


def _succeed(code: int, function: str) -> None:
    if code != _SUCCESS:
        name, why = CODES.get(code, (f"CUDA error {code}", ""))
        raise RuntimeError(f"{function} answered {code} ({name}){': ' * bool(why)}{why}")


def _mapped_path(library: str) -> str:
    """The file behind `library` in this process: the loader's choice, not ours."""
    stem = Path(library).name.partition(".so")[0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.partition("/")[2]
        if path.rpartition("/")[2].startswith(f"{stem}.so"):
            return f"/{path}"
    return library


def device_nodes(root: Path = Path("/")) -> tuple[str, ...]:
    """Device files of NVIDIA GPUs: /dev/nvidia0 and so on, under WSL /dev/dxg, on Tegra /dev/nvhost-gpu."""
    folder = root / "dev"
    nodes = [node for node in folder.glob("nvidia[0-9]*") if node.name[6:].isdigit()]
    nodes += [node for name in ("dxg", "nvhost-gpu") if (node := folder / name).exists()]
    return tuple(sorted(str(node) for node in nodes))


def visible_devices() -> str | None:
    """CUDA_VISIBLE_DEVICES as it stands; None where it is not set."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def join(cuda_gpus: Sequence[CudaGpu], nvml_uuids: Sequence[str]) -> dict[int, int | None]:
    """CUDA ordinal → position in `nvml_uuids` of the same GPU, or None where NVML does not know it.

    The two number GPUs differently (fastest first against PCI bus); the UUID alone is common to both.
    """
    positions = {uuid_digits(name): position for position, name in enumerate(nvml_uuids)}
    return {gpu.ordinal: positions.get(uuid_digits(gpu.uuid)) for gpu in cuda_gpus}


def pci_address(name: str | None) -> tuple[int, int, int] | None:
    """Domain, bus and device of `00000000:3B:00.0`, `PCI:0000:3b:00` and the like; None for anything else."""
    match = re.fullmatch(
        r"(?:PCI:)?([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})(?:\.[0-9a-f])?", name or "", re.IGNORECASE
    )
    return None if match is None else (int(match[1], 16), int(match[2], 16), int(match[3], 16))


def uuid_digits(name: str) -> str:
    """The sixteen bytes in a UUID as CUDA and NVML write it, as 32 hexadecimal digits.

    NVML writes `MIG-` before the UUID of a MIG device where CUDA gives the bare bytes; before driver 470 it wrote
    `MIG-GPU-<UUID of the GPU>/<GPU instance>/<compute instance>`, of which the GPU's own are taken.
    """
    return name.removeprefix("MIG-").removeprefix("GPU-").partition("/")[0].replace("-", "").lower()


FACTS = (
    FactSpec("cuda.driver_library", "Driver library", lambda: driver().library),
    FactSpec(
        "cuda.driver_cuda_version",
        "Newest CUDA the driver serves",
        lambda: driver().version,
        comparable=True,
        rule="at least",
    ),
    FactSpec("cuda.init", "cuInit", lambda: driver().code_name or driver().died or None),
    FactSpec("cuda.device_nodes", "Device files", device_nodes),
    FactSpec("cuda.visible_devices", "CUDA_VISIBLE_DEVICES", visible_devices),
)
