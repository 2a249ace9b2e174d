"""Speaking with NVML at all, and why that may not be possible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from gnnbench.environment.nvml.reading import describe

LIBRARY = "libnvidia-ml.so.1"

#: NVML's return codes that people meet when they ask for anything at all: what they mean, and what helps (NVML API
#: reference, "nvmlReturn_t"; NVIDIA GPU Debug Guidelines).
_MEANINGS = {
    4: ("this user may not ask NVML", "look at the rights of /dev/nvidia* and /dev/nvidiactl"),
    8: (
        "a power cable of the GPU is not plugged in",
        "switch the machine off, and plug in every external power connector of the GPU",
    ),
    9: (
        "the kernel's NVIDIA module is not loaded",
        "on the host: `modprobe nvidia`, then `nvidia-smi`; in a container: start it on a host with a driver",
    ),
    10: ("the driver did not answer NVML in time", "`dmesg | grep -e NVRM -e Xid` on the host, then reboot"),
    11: (
        "the kernel has a problem with the GPU's interrupts",
        "`dmesg | grep -e NVRM -e irq` on the host; reseat the GPU or update the firmware of the mainboard",
    ),
    12: (
        "the container has no NVML library",
        "start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ),
    14: ("the GPU's infoROM is corrupted", "`nvidia-smi -q | grep -i inforom` on the host; ask the vendor"),
    15: (
        "a GPU has fallen off the bus, or is otherwise out of reach",
        "`dmesg | grep Xid` on the host (79: fallen off the bus), then reboot; reseat or replace the GPU if it recurs",
    ),
    16: (
        "a GPU must be reset before it can be used again",
        "stop everything that uses it, then `nvidia-smi --gpu-reset -i N` on the host, or reboot",
    ),
    17: (
        "the container may no longer open the GPU's device files",
        "restart the container; with cgroup v2 upgrade nvidia-container-toolkit, or use CDI",
    ),
    18: (
        "the driver's library and the kernel's module are of different versions",
        "reboot the host, or reload the module (`rmmod nvidia_uvm nvidia; modprobe nvidia`): the driver was updated "
        "under it. In a container, see that the image brings no libnvidia-ml of its own",
    ),
    999: (
        "the driver failed inside, or the container lost its devices",
        "restart the container (a `systemctl daemon-reload` on the host takes its devices); "
        "`dmesg | grep -e NVRM -e Xid` on the host",
    ),
}
_FIX = "compare `nvidia-smi` inside and outside the container"
NO_LIBRARY = 12
#: Codes that may come of how the container was started, and say nothing against the GPU or its driver.
_UNKNOWING = (4, NO_LIBRARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why NVML could not be asked, or stopped answering."""

    said: str
    """In NVML's words, or how the process ended that asked."""
    cause: str = ""
    fix: str = _FIX
    code: int | None = None
    """NVML's return code, where it gave one."""
    faulty: bool = True
    """Whether GPU or driver are at fault; False where the image or the way it was started hides NVML."""

    @classmethod
    def of(cls, error: BaseException) -> Problem:
        """What an exception of NVML's means."""
        code = getattr(error, "value", None)
        said = describe(error)
        return replace(problem_of_code(code), said=said) if isinstance(code, int) else cls(said=said)


def problem_of_code(code: int) -> Problem:
    """What one of NVML's return codes means."""
    cause, fix = _MEANINGS.get(code, ("", _FIX))
    return Problem(said=f"code {code}", cause=cause, fix=fix, code=code, faulty=code not in _UNKNOWING)


class NvmlUnavailableError(RuntimeError):
    """NVML can't be asked: no module, no library, no driver; the message is NVML's own."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.said + f" ({problem.cause})" * bool(problem.cause))
        self.problem = problem


@contextmanager
def session() -> Iterator[Any]:
    """The initialised pynvml module; raises `NvmlUnavailableError`."""
    try:
        import pynvml
    except Exception as error:
        raise NvmlUnavailableError(
            Problem(
                said=f"expected nvidia-ml-py, found {describe(error)}",
                fix="pip install nvidia-ml-py",
                faulty=False,
            )
        ) from error
    try:
        pynvml.nvmlInit()
    except Exception as error:
        raise NvmlUnavailableError(Problem.of(error)) from error
    try:
        yield pynvml
    finally:
        # It has answered; how it leaves is no news.
        with suppress(Exception):
            pynvml.nvmlShutdown()
