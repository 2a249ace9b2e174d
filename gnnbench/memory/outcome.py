"""How a trial ended, told apart: out of memory is a result, a crash is a finding."""

from __future__ import annotations

import errno
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class TrialEnd(str, Enum):
    """The ways a trial ends."""

    SURVIVED = "survived"
    DEVICE_OUT_OF_MEMORY = "device out of memory"
    HOST_OUT_OF_MEMORY = "host out of memory"
    UNSUPPORTED = "unsupported by the backend"
    ERROR = "error"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"

    @property
    def out_of_memory(self) -> bool:
        """Whether memory ran out, on the device or the host."""
        return self in (TrialEnd.DEVICE_OUT_OF_MEMORY, TrialEnd.HOST_OUT_OF_MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """What came of one trial."""

    end: TrialEnd
    phase: str = ""
    """What was going on when it ended otherwise than by surviving: `graph`, `bind`, `step 1`."""
    detail: str = ""
    """The error's first line, or the signal's name."""
    peak_bytes: int | None = None
    """Most memory in use at once, above what was in use before; None where it is not known."""
    live_bytes: tuple[int, ...] = ()
    """Memory in use after each step, above what was in use before."""
    budget_bytes: int | None = None
    budget_kind: str = ""
    """What holds the budget: `address space`, `allocator fraction`, or nothing."""
    seconds: float = 0.0
    """From the request to the answer."""
    loss: float | None = None
    """Of the last step."""
    left_bytes: int | None = None
    """After a failure: memory still in use once the error was dropped."""
    recovery: TrialOutcome | None = None
    """After a failure: what came of training again in the same process; None where it was not tried."""
    healthy: bool = True
    """Whether the process that ran the trial may run another."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def survived(self) -> bool:
        """Whether the steps were completed."""
        return self.end is TrialEnd.SURVIVED

    def describe(self) -> str:
        """One line."""
        where = f" in {self.phase}" if self.phase and not self.survived else ""
        return f"{self.end.value}{where}" + (f": {self.detail}" if self.detail else "")

    def encode(self) -> dict[str, Any]:
        """As plain JSON values."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            **values,
            "end": self.end.value,
            "live_bytes": list(self.live_bytes),
            "facts": dict(self.facts),
            "recovery": None if self.recovery is None else self.recovery.encode(),
        }

    @classmethod
    def decode(cls, values: Mapping[str, Any]) -> TrialOutcome:
        """From what `encode` gave; raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        recovery = values.get("recovery")
        return cls(
            **{
                **values,
                "end": TrialEnd(values["end"]),
                "live_bytes": tuple(values.get("live_bytes", ())),
                "recovery": None if recovery is None else cls.decode(recovery),
            }
        )


#: What says that memory ran out on the device, or on the host, in errors of types that say nothing: cuBLAS,
#: cuSPARSE and MKL report a status, C++ throws bad_alloc, and torch before 2.5 raises RuntimeError for the
#: host.
_DEVICE_MARKS = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "cudaErrorMemoryAllocation",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUSPARSE_STATUS_ALLOC_FAILED",
    "CUSPARSE_STATUS_INSUFFICIENT_RESOURCES",
    "CUDNN_STATUS_ALLOC_FAILED",
)
_HOST_MARKS = (
    "DefaultCPUAllocator",
    "can't allocate memory",
    "Cannot allocate memory",
    "cannot allocate memory",
    "SPARSE_STATUS_ALLOC_FAILED",
    "bad_alloc",
    "failed to allocate",
)


def end_of_error(error: BaseException) -> TrialEnd:
    """Which end an exception means."""
    names = {cls.__name__ for cls in type(error).__mro__}
    text = str(error)
    # By name: torch.OutOfMemoryError is torch.cuda.OutOfMemoryError before 2.5, and this file knows no torch.
    if "OutOfMemoryError" in names or any(mark in text for mark in _DEVICE_MARKS):
        return TrialEnd.DEVICE_OUT_OF_MEMORY
    no_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or no_memory or any(mark in text for mark in _HOST_MARKS):
        return TrialEnd.HOST_OUT_OF_MEMORY
    if "UnsupportedByBackend" in names:
        return TrialEnd.UNSUPPORTED
    return TrialEnd.ERROR


def outcome_of_status(status: int, *, phase: str = "", seconds: float = 0.0) -> TrialOutcome:
    """What a child's wait status means, for a child that ended without an answer.

    SIGKILL is taken for the kernel's out-of-memory killer: nobody else kills a trial, and one that was
    killed for its time is known to have been.
    """
    if (status & 0x7F) == 0:
        code = status >> 8
        return TrialOutcome(
            end=TrialEnd.ERROR, phase=phase, seconds=seconds, detail=f"exit code {code} without an answer"
        )
    number = status & 0x7F
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL:
        return TrialOutcome(
            end=TrialEnd.HOST_OUT_OF_MEMORY,
            phase=phase,
            seconds=seconds,
            detail="SIGKILL, most likely by the kernel's out-of-memory killer (see `dmesg`)",
        )
    return TrialOutcome(end=TrialEnd.CRASHED, phase=phase, seconds=seconds, detail=name)
