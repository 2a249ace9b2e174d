"""What NVML says of the GPUs. It needs the driver, not CUDA, and initialises no context."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class NvmlUnavailableError(RuntimeError):
    """NVML can't be asked: no module, no library, no driver; the message is NVML's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NvmlGpu:
    """One GPU as NVML sees it. What the GPU or driver does not support is None.

    NVML ignores CUDA_VISIBLE_DEVICES and orders by PCI bus: join with CUDA on `uuid`, never on `index`.
    """

    index: int
    uuid: str
    name: str
    memory_bytes: int | None = None
    capability: str | None = None
    """`9.0`."""
    pci_bus_id: str | None = None
    pcie_width: int | None = None
    """Lanes in use now."""
    pcie_width_max: int | None = None
    """Lanes that GPU and slot could use."""
    ecc_errors: int | None = None
    """Uncorrected, since the driver was loaded."""
    remap_failed: bool | None = None
    """A memory row was bad and no spare was left."""
    throttle_reasons: int | None = None
    """NVML's bit mask of why clocks are held down now."""
    power_limit_w: float | None = None
    mig_uuids: tuple[str, ...] | None = None
    """UUIDs of its MIG devices; None where MIG is off or unknown to it."""


@contextmanager
def session() -> Iterator[Any]:
    """The initialised pynvml module; raises `NvmlUnavailableError`."""
    try:
        import pynvml
    except ImportError as error:
        raise NvmlUnavailableError(f"expected nvidia-ml-py, found {error}") from error
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NvmlUnavailableError(str(error)) from error
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def driver_version() -> str:
    """The driver's own version, `550.54.15`; raises `NvmlUnavailableError`."""
    with session() as pynvml:
        return _text(pynvml.nvmlSystemGetDriverVersion())


def gpus() -> tuple[NvmlGpu, ...]:
    """Every GPU of the machine, or those that the container was given; raises `NvmlUnavailableError`.

    A GPU that has been lost makes this raise too: NVML then answers "GPU is lost" or "Unknown Error".
    """
    with session() as pynvml:
        try:
            count = pynvml.nvmlDeviceGetCount()
            return tuple(_gpu(pynvml, index) for index in range(count))
        except pynvml.NVMLError as error:
            raise NvmlUnavailableError(str(error)) from error


def lost(before: Sequence[NvmlGpu]) -> dict[str, str]:
    """UUID → why, for those of the GPUs seen `before` that no longer answer.

    Containers lose theirs to a `systemctl daemon-reload` on the host, machines to a GPU that falls off its bus.
    """
    try:
        now = {gpu.uuid for gpu in gpus()}
    except NvmlUnavailableError as error:
        return {gpu.uuid: str(error) for gpu in before}
    return {gpu.uuid: "no longer listed" for gpu in before if gpu.uuid not in now}


def faults(gpu: NvmlGpu) -> list[str]:
    """What is wrong with a GPU by its own account, in words. What it does not report is not held against it."""
    found = []
    if gpu.ecc_errors:
        found.append(f"{gpu.ecc_errors} uncorrected memory errors since the driver was loaded")
    if gpu.remap_failed:
        found.append("a memory row is bad and could not be remapped")
    # The generation of a link falls when it idles, to save power; its width does not.
    if gpu.pcie_width and gpu.pcie_width_max and gpu.pcie_width < gpu.pcie_width_max:
        found.append(f"PCIe runs on {gpu.pcie_width} of {gpu.pcie_width_max} lanes")
    return found


def _gpu(pynvml: Any, index: int) -> NvmlGpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)

    def ask(read: Callable[[Any], Any]) -> Any:
        """One question; None where this GPU or this NVML has no answer, but a lost GPU raises."""
        try:
            return read(handle)
        except (AttributeError, pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
            return None
        except pynvml.NVMLError as error:
            if isinstance(error, pynvml.NVMLError_GpuIsLost):
                raise
            return None

    return NvmlGpu(
        index=index,
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
        name=_text(pynvml.nvmlDeviceGetName(handle)),
        memory_bytes=ask(lambda h: int(pynvml.nvmlDeviceGetMemoryInfo(h).total)),
        capability=ask(lambda h: "{}.{}".format(*pynvml.nvmlDeviceGetCudaComputeCapability(h))),
        pci_bus_id=ask(lambda h: _text(pynvml.nvmlDeviceGetPciInfo(h).busId)),
        pcie_width=ask(lambda h: int(pynvml.nvmlDeviceGetCurrPcieLinkWidth(h))),
        pcie_width_max=ask(lambda h: int(pynvml.nvmlDeviceGetMaxPcieLinkWidth(h))),
        ecc_errors=ask(
            lambda h: int(
                pynvml.nvmlDeviceGetTotalEccErrors(
                    h, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC
                )
            )
        ),
        remap_failed=ask(lambda h: bool(pynvml.nvmlDeviceGetRemappedRows(h)[3])),
        throttle_reasons=ask(lambda h: int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(h))),
        power_limit_w=ask(lambda h: pynvml.nvmlDeviceGetEnforcedPowerLimit(h) / 1000),
        mig_uuids=ask(lambda h: _mig_uuids(pynvml, h)),
    )


def _mig_uuids(pynvml: Any, handle: Any) -> tuple[str, ...] | None:
    current, _ = pynvml.nvmlDeviceGetMigMode(handle)
    if not current:
        return None
    uuids = []
    for number in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            uuids.append(
                _text(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)))
            )
        except pynvml.NVMLError_NotFound:  # slots are numbered with gaps
            continue
    return tuple(uuids)


def _text(value: str | bytes) -> str:
    # Older nvidia-ml-py answers bytes.
    return value.decode() if isinstance(value, bytes) else value
