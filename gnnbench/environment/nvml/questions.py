"""What every GPU is asked: one line a question, with what its answer may be.

The ranges say what can be true of any GPU, not what is good: outside them an answer is nonsense and is never judged.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import Structure, byref, c_ubyte, c_uint
from dataclasses import dataclass
from typing import Any

from gnnbench.environment.nvml.reading import is_count, is_text, one_of, text, within

#: Numbers of nvml.h, written out: nvidia-ml-py spells some of them as tuples by mistake, and older ones lack others.
_SENSOR_GPU = 0
_SHUTDOWN, _SLOWDOWN, _GPU_MAX = 0, 1, 3
_SM, _MEMORY = 1, 2
_CORRECTED, _UNCORRECTED, _VOLATILE, _AGGREGATE = 0, 1, 0, 1
_POLICY_POWER, _POLICY_THERMAL, _POLICY_BOARD, _POLICY_RELIABILITY = 0, 1, 3, 5

#: More rows can't be remapped, more pages not be retired (NVIDIA GPU Memory Error Management, "Row Remapping").
MAX_ROWS, MAX_PAGES = 512, 64
_PCIE_WIDTHS = (1, 2, 4, 8, 12, 16, 32)
_GIGAHERTZ = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask a GPU."""

    name: str
    ask: Callable[[Any, Any], Any]
    """From the pynvml module and the GPU's handle to a JSON value."""
    sensible: Callable[[Any], bool]


#: Silicon neither runs below the freezing point nor beyond 150 °C, and NVML knows no half degrees.
_temperature = within(1, 150)
_watts = within(1, 10_000)
_megahertz = within(1, 10 * _GIGAHERTZ)
_megahertz_memory = within(1, 50 * _GIGAHERTZ)
_switch = one_of(0, 1)


def _ecc(kind: int, since: int) -> Callable[[Any, Any], Any]:
    return lambda n, h: n.nvmlDeviceGetTotalEccErrors(h, kind, since)


def _violation(policy: int) -> Callable[[Any, Any], Any]:
    return lambda n, h: n.nvmlDeviceGetViolationStatus(h, policy).violationTime


def _temperature_now(n: Any, h: Any) -> Any:
    return n.nvmlDeviceGetTemperature(h, _SENSOR_GPU)


def _throttling(n: Any, h: Any) -> Any:
    # Renamed with driver 535; either name asks the same.
    if hasattr(n, "nvmlDeviceGetCurrentClocksEventReasons"):
        try:
            return n.nvmlDeviceGetCurrentClocksEventReasons(h)
        except n.NVMLError as error:
            if error.value != n.NVML_ERROR_FUNCTION_NOT_FOUND:
                raise
    return n.nvmlDeviceGetCurrentClocksThrottleReasons(h)


def _memory(n: Any, h: Any) -> Any:
    """Bytes: `total`, `used`, and whether what the driver keeps for itself is counted as used."""
    version = getattr(n, "nvmlMemory_v2", None)
    if version is not None:
        try:
            found = n.nvmlDeviceGetMemoryInfo(h, version=version)
        except (n.NVMLError, TypeError):
            pass
        else:
            return {"total": found.total, "used": found.used, "with_reserved": False}
    found = n.nvmlDeviceGetMemoryInfo(h)
    return {"total": found.total, "used": found.used, "with_reserved": True}


def _capability(n: Any, h: Any) -> Any:
    return "{}.{}".format(*n.nvmlDeviceGetCudaComputeCapability(h))


def _rows(n: Any, h: Any) -> Any:
    return dict(
        zip(("corrected", "uncorrected", "pending", "failed"), n.nvmlDeviceGetRemappedRows(h), strict=True)
    )


def _rows_fit(rows: Any) -> bool:
    return rows["corrected"] + rows["uncorrected"] <= MAX_ROWS and {rows["pending"], rows["failed"]} <= {0, 1}


def _spare_banks(n: Any, h: Any) -> Any:
    banks = n.nvmlDeviceGetRowRemapperHistogram(h)
    return {name: int(getattr(banks, name)) for name in ("max", "high", "partial", "low", "none")}


def _sram(n: Any, h: Any) -> Any:
    status = n.c_nvmlEccSramErrorStatus_v1_t()
    # By reference: nvidia-ml-py hands on what it is given, and a structure would go by value.
    n.nvmlDeviceGetSramEccErrorStatus(h, byref(status))
    return int(status.bThresholdExceeded)


class _FabricInfo(Structure):
    """nvml.h, `nvmlGpuFabricInfo_t`. nvidia-ml-py's own was too long by 64 bytes up to 13.580."""

    _fields_ = (("cluster", c_ubyte * 16), ("status", c_uint), ("clique", c_uint), ("state", c_ubyte))


def _fabric(n: Any, h: Any) -> Any:
    fabric = _FabricInfo()
    n.nvmlDeviceGetGpuFabricInfo(h, byref(fabric))
    return {"state": int(fabric.state), "status": int(fabric.status)}


def _affinity(n: Any, h: Any) -> Any:
    # 1,024 CPUs, as 64-bit words with the lowest CPU first.
    words = [int(word) for word in n.nvmlDeviceGetCpuAffinity(h, 16)]
    return [64 * place + bit for place, word in enumerate(words) for bit in range(64) if word >> bit & 1]


QUESTIONS = (
    Question("capability", _capability, lambda v: 1 <= int(v.partition(".")[0]) <= 99),
    Question("pci_bus_id", lambda n, h: text(n.nvmlDeviceGetPciInfo(h).busId), is_text),
    Question("vbios", lambda n, h: text(n.nvmlDeviceGetVbiosVersion(h)), is_text),
    Question("memory", _memory, lambda v: 0 < v["total"] < 2**48 and 0 <= v["used"] <= v["total"]),
    Question("performance_state", lambda n, h: n.nvmlDeviceGetPerformanceState(h), within(0, 15)),
    # Modes
    Question("persistence_mode", lambda n, h: n.nvmlDeviceGetPersistenceMode(h), _switch),
    Question("compute_mode", lambda n, h: n.nvmlDeviceGetComputeMode(h), within(0, 3)),
    Question("mig_mode", lambda n, h: list(n.nvmlDeviceGetMigMode(h)), lambda v: set(v) <= {0, 1}),
    Question("ecc_mode", lambda n, h: list(n.nvmlDeviceGetEccMode(h)), lambda v: set(v) <= {0, 1}),
    # Heat, in °C
    Question("temperature", _temperature_now, _temperature),
    Question(
        "temperature_slowdown", lambda n, h: n.nvmlDeviceGetTemperatureThreshold(h, _SLOWDOWN), _temperature
    ),
    Question(
        "temperature_shutdown", lambda n, h: n.nvmlDeviceGetTemperatureThreshold(h, _SHUTDOWN), _temperature
    ),
    Question("temperature_max", lambda n, h: n.nvmlDeviceGetTemperatureThreshold(h, _GPU_MAX), _temperature),
    Question("temperature_margin", lambda n, h: n.nvmlDeviceGetMarginTemperature(h), within(-150, 150)),
    # Power, in W
    Question("power_limit", lambda n, h: n.nvmlDeviceGetEnforcedPowerLimit(h) / 1000, _watts),
    Question("power_default", lambda n, h: n.nvmlDeviceGetPowerManagementDefaultLimit(h) / 1000, _watts),
    Question("power_usage", lambda n, h: n.nvmlDeviceGetPowerUsage(h) / 1000, within(0, 10_000)),
    # Clocks, in MHz
    Question("clock_sm", lambda n, h: n.nvmlDeviceGetClockInfo(h, _SM), within(0, 10 * _GIGAHERTZ)),
    Question("clock_sm_max", lambda n, h: n.nvmlDeviceGetMaxClockInfo(h, _SM), _megahertz),
    Question("clock_sm_set", lambda n, h: n.nvmlDeviceGetApplicationsClock(h, _SM), _megahertz),
    Question("clock_sm_default", lambda n, h: n.nvmlDeviceGetDefaultApplicationsClock(h, _SM), _megahertz),
    Question("clock_memory", lambda n, h: n.nvmlDeviceGetClockInfo(h, _MEMORY), within(0, 50 * _GIGAHERTZ)),
    Question("clock_memory_max", lambda n, h: n.nvmlDeviceGetMaxClockInfo(h, _MEMORY), _megahertz_memory),
    Question(
        "clock_memory_set", lambda n, h: n.nvmlDeviceGetApplicationsClock(h, _MEMORY), _megahertz_memory
    ),
    Question(
        "clock_memory_default",
        lambda n, h: n.nvmlDeviceGetDefaultApplicationsClock(h, _MEMORY),
        _megahertz_memory,
    ),
    # Why clocks are held down now, as NVML's bit mask, and for how long they have been, in ns
    Question("throttling", _throttling, within(0, 2**32 - 1)),
    Question("throttled_power_ns", _violation(_POLICY_POWER), is_count),
    Question("throttled_thermal_ns", _violation(_POLICY_THERMAL), is_count),
    Question("throttled_board_ns", _violation(_POLICY_BOARD), is_count),
    Question("throttled_reliability_ns", _violation(_POLICY_RELIABILITY), is_count),
    # Memory: volatile counts since the driver was loaded, aggregate ones in the life of the GPU
    Question("ecc_uncorrected_volatile", _ecc(_UNCORRECTED, _VOLATILE), is_count),
    Question("ecc_uncorrected_aggregate", _ecc(_UNCORRECTED, _AGGREGATE), is_count),
    Question("ecc_corrected_volatile", _ecc(_CORRECTED, _VOLATILE), is_count),
    Question("ecc_corrected_aggregate", _ecc(_CORRECTED, _AGGREGATE), is_count),
    Question("sram_threshold_exceeded", _sram, _switch),
    Question("remapped_rows", _rows, _rows_fit),
    Question("spare_banks", _spare_banks, lambda v: all(0 <= count < 2**20 for count in v.values())),
    Question(
        "retired_pages_single", lambda n, h: len(n.nvmlDeviceGetRetiredPages(h, 0)), within(0, MAX_PAGES)
    ),
    Question(
        "retired_pages_double", lambda n, h: len(n.nvmlDeviceGetRetiredPages(h, 1)), within(0, MAX_PAGES)
    ),
    Question("retired_pages_pending", lambda n, h: n.nvmlDeviceGetRetiredPagesPendingStatus(h), _switch),
    # PCIe
    Question("pcie_width", lambda n, h: n.nvmlDeviceGetCurrPcieLinkWidth(h), one_of(*_PCIE_WIDTHS)),
    Question("pcie_width_max", lambda n, h: n.nvmlDeviceGetMaxPcieLinkWidth(h), one_of(*_PCIE_WIDTHS)),
    Question("pcie_generation", lambda n, h: n.nvmlDeviceGetCurrPcieLinkGeneration(h), within(1, 9)),
    Question("pcie_generation_max", lambda n, h: n.nvmlDeviceGetMaxPcieLinkGeneration(h), within(1, 9)),
    Question("pcie_replays", lambda n, h: n.nvmlDeviceGetPcieReplayCounter(h), is_count),
    # Around it
    Question("fabric", _fabric, lambda v: 0 <= v["state"] <= 3),
    Question("cpu_affinity", _affinity, bool),
)
