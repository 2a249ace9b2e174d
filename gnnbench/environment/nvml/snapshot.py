"""All GPUs at one moment, read in a child process: NVML can block for minutes on a sick GPU, or crash."""

from __future__ import annotations

import ctypes
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from gnnbench.environment import child
from gnnbench.environment.cuda import CudaGpu, pci_address, uuid_digits
from gnnbench.environment.nvml.gpu import NvmlGpu, Reader
from gnnbench.environment.nvml.reading import Reading, ask, is_text, one_of, text, within
from gnnbench.environment.nvml.session import (
    LIBRARY,
    NO_LIBRARY,
    NvmlUnavailableError,
    Problem,
    problem_of_code,
    session,
)
from gnnbench.record.codec import decode, encode

#: Where the driver is not kept loaded (persistence), the first call initialises every GPU: seconds for each.
_TIMEOUT_S = 60.0
#: How many questions may take a process down before no more processes are spent on it.
_MAX_CRASHES = 3
_TRAIL = "asking "
_MAX_GPUS = 256
#: nvml.h, `nvmlGpuTopologyLevel_t`, in the words of `nvidia-smi topo -m`.
_LEVELS = {0: "same board", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What NVML said of all GPUs at one moment."""

    gpus: tuple[NvmlGpu, ...] = ()
    """In NVML's order, by PCI bus; also those that did not answer."""
    problem: Problem | None = None
    """Why there are none, where NVML could not be asked."""
    versions: Mapping[str, Reading] = field(default_factory=dict)
    """`driver`, `nvml`."""
    taken_s: float = 0.0
    """On the monotonic clock of this boot."""

    def of(self, cuda_gpus: Sequence[CudaGpu]) -> dict[int, NvmlGpu | None]:
        """CUDA ordinal → the same GPU here, joined on UUID; None where NVML knows none, or two.

        A MIG device is joined to the GPU that it is a part of. Where NVML does not tell a GPU's UUID, its PCI address
        decides.
        """
        known: dict[str, list[NvmlGpu]] = {}
        for gpu in self.gpus:
            for name in filter(None, (gpu.uuid, *gpu.mig_uuids)):
                known.setdefault(uuid_digits(name), []).append(gpu)
        # A MIG device by its old name, MIG-GPU-<uuid>/1/0, has the digits of its GPU: one GPU all the same.
        found = {digits: {gpu.index: gpu for gpu in gpus} for digits, gpus in known.items()}
        unnamed = {gpu.index: gpu for gpu in self.gpus if not gpu.uuid}

        def partner(cuda_gpu: CudaGpu) -> NvmlGpu | None:
            same = found.get(uuid_digits(cuda_gpu.uuid)) or {
                index: gpu
                for index, gpu in unnamed.items()
                if cuda_gpu.pci_bus_id
                and pci_address(gpu.value("pci_bus_id")) == pci_address(cuda_gpu.pci_bus_id)
            }
            return next(iter(same.values())) if len(same) == 1 else None

        return {cuda_gpu.ordinal: partner(cuda_gpu) for cuda_gpu in cuda_gpus}

    def gpu(self, uuid: str) -> NvmlGpu | None:
        """The one with this UUID."""
        return next((gpu for gpu in self.gpus if gpu.uuid == uuid), None) if uuid else None


def take(*, timeout: float = _TIMEOUT_S) -> Snapshot:
    """Ask NVML now. Never raises.

    A question that takes the child down is left out of a second try; one that is never answered ends the
    reading after `timeout` seconds, and is named.
    """
    try:
        # Where there is none, there is no need for a child. Loading alone initialises nothing.
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        return Snapshot(
            problem=replace(problem_of_code(NO_LIBRARY), said=str(error)), taken_s=time.monotonic()
        )
    deadly: list[str] = []
    while True:
        report = child.run(f"{__name__}:read", deadly, timeout=timeout)
        if report.ok:
            return decode(Snapshot, report.value)
        asked = re.findall(rf"^{_TRAIL}(\S+)$", report.stderr, re.MULTILINE)
        crashed = report.ending is child.Ending.CRASHED
        if not (crashed and asked and asked[-1] not in deadly and len(deadly) < _MAX_CRASHES):
            return Snapshot(problem=_ended(report, asked), taken_s=time.monotonic())
        deadly.append(asked[-1])


def _ended(report: child.ChildReport, asked: Sequence[str]) -> Problem:
    last = (
        f", last asked for {asked[-1].partition(':')[2]} of GPU {asked[-1].partition(':')[0]}"
        if asked
        else ""
    )
    return Problem(
        said=f"the process that asked NVML {report.ending.value}: {report.error}{last}",
        cause="a GPU or a driver that is stuck",
        fix="`dmesg | grep -e NVRM -e Xid` on the host, then reset the GPU (`nvidia-smi --gpu-reset`) or reboot",
    )


@cache
def first() -> Snapshot:
    """`take`, once in this process: how the GPUs were before anything ran on them."""
    return take()


def gpus() -> tuple[NvmlGpu, ...]:
    """The GPUs of `first()` that answer; raises `NvmlUnavailableError` where NVML could not be asked."""
    found = first()
    if found.problem is not None:
        raise NvmlUnavailableError(found.problem)
    return tuple(gpu for gpu in found.gpus if not gpu.lost)


def driver_version() -> str:
    """The driver's own version, `550.54.15`; raises `NvmlUnavailableError`."""
    found = first()
    version = found.versions.get("driver")
    if found.problem is not None or version is None or version.value is None:
        why = "" if version is None else version.why
        raise NvmlUnavailableError(found.problem or Problem(said=f"the driver's version is {why}"))
    return str(version.value)


def read(deadly: Sequence[str] = ()) -> dict[str, Any]:
    """In a child: a `Snapshot` as JSON values. Initialises NVML in this process."""
    return dict(encode(read_snapshot(deadly)))


def read_snapshot(deadly: Sequence[str] = ()) -> Snapshot:
    """Ask NVML in this process. Never raises."""
    taken = time.monotonic()
    try:
        with session() as pynvml:
            count = ask(pynvml.nvmlDeviceGetCount, within(0, _MAX_GPUS))
            if count.loss is not None:
                return Snapshot(problem=_uncounted(pynvml, count), taken_s=taken)
            readers = [Reader(pynvml, i, trail=_leave, deadly=deadly) for i in range(count.value)]
            return Snapshot(
                gpus=_with_levels([reader.read() for reader in readers], readers),
                versions={
                    "driver": ask(lambda: text(pynvml.nvmlSystemGetDriverVersion()), is_text),
                    "nvml": ask(lambda: text(pynvml.nvmlSystemGetNVMLVersion()), is_text),
                },
                taken_s=taken,
            )
    except NvmlUnavailableError as error:
        return Snapshot(problem=error.problem, taken_s=taken)


def _uncounted(pynvml: Any, count: Reading) -> Problem:
    # Asked once more for the exception, which says more than the reading.
    try:
        pynvml.nvmlDeviceGetCount()
    except Exception as error:
        return Problem.of(error)
    return Problem(said=f"the number of GPUs can't be read: {count.why}")


def _with_levels(found: Sequence[NvmlGpu], readers: Sequence[Reader]) -> tuple[NvmlGpu, ...]:
    """What each two GPUs have in common on the way to each other."""
    levels: dict[int, dict[str, str]] = {gpu.index: {} for gpu in found}
    for one in readers:
        for other in readers[: one.index]:
            if one.device is None or other.device is None:
                continue
            level = one.ask_level(other, one_of(*_LEVELS))
            if level.value is not None:
                levels[one.index][str(other.index)] = levels[other.index][str(one.index)] = _LEVELS[
                    level.value
                ]
    return tuple(replace(gpu, levels=levels[gpu.index]) for gpu in found)


def _leave(question: str) -> None:
    # The parent sees this where the question is the last thing that this process did.
    sys.stderr.write(f"{_TRAIL}{question}\n")
    sys.stderr.flush()
