"""How a child process ended, told from what it left behind."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Ending(str, Enum):
    """How a child process ended."""

    OK = "ok"
    RAISED = "raised"
    CRASHED = "crashed"
    HUNG = "hung"


@dataclass(frozen=True, slots=True)
class Limits:
    """Soft and hard limits that a child takes upon itself before it imports its target; None leaves as is."""

    address_space: int | None = None
    """In bytes."""
    memlock: int | None = None
    """In bytes."""
    open_files: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReport:
    """What became of a child process."""

    target: str
    ending: Ending
    value: Any = None
    """What the target returned; also present where the child crashed after it had answered."""
    error_type: str = ""
    """The exception's class (`MemoryError`), for `RAISED`."""
    error: str = ""
    """One line: the exception, the signal or exit status, or the time that ran out."""
    traceback: str = ""
    signal: int | None = None
    """What killed it, for `CRASHED` by a signal."""
    exit_status: int | None = None
    seconds: float = 0.0
    stdout: str = field(default="", repr=False)
    """The last few thousand characters."""
    stderr: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the target returned and the process then ended well."""
        return self.ending is Ending.OK

    def describe(self) -> str:
        """A line that says how it ended, with the line of stderr that tells most."""
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith("Fatal Python error")]
        last = (fatal or lines or [""])[-1]
        return f"{self.target} {self.ending.value}: {self.error}" + (
            f" (stderr: {last.strip()})" if last else ""
        )


def not_started(target: str, error: OSError) -> ChildReport:
    """What became of a child that the system would not let start: no file may be opened, no process forked."""
    return ChildReport(
        target=target,
        ending=Ending.RAISED,
        error_type="OSError",
        error=f"OSError: {error}: no process could be started",
    )


def judge(
    target: str,
    *,
    answer: dict[str, Any],
    status: int | None,
    hung_after: float | None = None,
    seconds: float,
    stdout: str,
    stderr: str,
) -> ChildReport:
    """What became of a child.

    Args:
        target: what it ran.
        answer: what it wrote: `value`, or `error` with `type` and `traceback`; empty where it wrote nothing.
        status: its exit status, negative for the signal that killed it; None where it could not be killed.
        hung_after: the seconds after which it was killed, or None where it ended by itself.
        seconds: how long it ran.
        stdout: what it printed.
        stderr: likewise.
    """
    common: dict[str, Any] = {
        "target": target,
        "seconds": seconds,
        "stdout": stdout,
        "stderr": stderr,
        "value": answer.get("value"),
        "exit_status": status if status is not None and status >= 0 else None,
    }
    if status is None:
        after = "" if hung_after is None else f"no end within {hung_after:g} s, and "
        return ChildReport(
            ending=Ending.HUNG, error=f"{after}it can't be killed: it is stuck in the kernel", **common
        )
    if hung_after is not None:
        return ChildReport(ending=Ending.HUNG, error=f"no end within {hung_after:g} s", **common)
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        after = " after it had answered" if answer else ""
        return ChildReport(ending=Ending.CRASHED, error=f"killed by {name}{after}", signal=-status, **common)
    if "error" in answer:
        return ChildReport(
            ending=Ending.RAISED,
            error=answer["error"],
            error_type=answer["type"],
            traceback=answer["traceback"],
            **common,
        )
    if status != 0 or not answer:
        return ChildReport(ending=Ending.CRASHED, error=f"exit status {status} without an answer", **common)
    return ChildReport(ending=Ending.OK, **common)
