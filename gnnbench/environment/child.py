"""Running a probe in a process of its own, so that it can crash, hang or run out of memory alone."""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import IO, Any

_TAIL_BYTES = 8_000
_POLL_S = 0.005
#: What a killed process may take to go, with many gigabytes to give back.
_KILL_S = 10.0
#: Runs in the child before anything of ours: it gets the parent's sys.path, so that both find the same
#: modules, but not the working directory, where a folder `torch` would hide the installed one.
_BOOT = (
    "import json, sys; order = json.loads(sys.argv[1]); "
    "own = [p for p in sys.path if p]; "
    "sys.path[:] = own + [p for p in order['path'] if p not in own]; "
    "from gnnbench.environment.child import _serve; _serve(order)"
)
_PR_SET_PDEATHSIG = 1


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


class Child:
    """A started child process. Use `wait`, or `close` to be rid of it; a context manager closes."""

    def __init__(
        self,
        target: str,
        arguments: tuple[Any, ...],
        *,
        timeout: float,
        limits: Limits,
        environment: Mapping[str, str | None],
    ) -> None:
        self.target = target
        self._report: ChildReport | None = None
        # Anonymous files instead of pipes: a grandchild that outlives the child holds no reader up.
        self._answer, self._stdout, self._stderr = _anonymous_file(), _anonymous_file(), _anonymous_file()
        order = {
            "path": [str(Path(entry).absolute()) for entry in sys.path if entry],
            "target": target,
            "arguments": arguments,
            "answer": self._answer.fileno(),
            "parent": os.getpid(),
            "limits": [limits.address_space, limits.memlock, limits.open_files],
        }
        self._started = time.monotonic()
        self._deadline = self._started + timeout
        self._timeout = timeout
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", _BOOT, json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            pass_fds=[self._answer.fileno()],
            env=_child_environment(environment),
            # A group of its own, so that whatever it starts can be killed with it.
            start_new_session=True,
        )

    def wait(self) -> ChildReport:
        """Wait until it has ended or its time is over, and kill all that it started."""
        if self._report is None:
            hung = not self._ended_before_deadline()
            status = self._kill()
            self._report = self._judge(hung=hung, status=status)
            self._close_files()
        return self._report

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        if self._report is not None:
            return False
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def said(self) -> str:
        """What it has written to standard output until now, the last few thousand characters."""
        return _tail(self._stdout) if self._report is None else self._report.stdout

    def close(self) -> None:
        """Kill it, where it still runs, and all that it started."""
        if self._report is None:
            self._deadline = time.monotonic()
            self.wait()

    def __enter__(self) -> Child:  # noqa: PYI034  (Self needs Python 3.11)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ended_before_deadline(self) -> bool:
        # WNOWAIT leaves it unreaped, so that the number of its group can't go to a stranger before the kill.
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, self._process.pid, options) is None:
            if time.monotonic() >= self._deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _kill(self) -> int | None:
        """Its status; None where even SIGKILL does not end it, as in a driver that never returns from the kernel."""
        os.killpg(self._process.pid, signal.SIGKILL)
        try:
            return self._process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            return None

    def _judge(self, *, hung: bool, status: int | None) -> ChildReport:
        answer = _read_answer(self._answer)
        common: dict[str, Any] = {
            "target": self.target,
            "seconds": time.monotonic() - self._started,
            "stdout": _tail(self._stdout),
            "stderr": _tail(self._stderr),
            "value": answer.get("value"),
            "exit_status": status if status is not None and status >= 0 else None,
        }
        if status is None:
            stuck = f"no end within {self._timeout:g} s, and it can't be killed: it is stuck in the kernel"
            return ChildReport(ending=Ending.HUNG, error=stuck, **common)
        if hung:
            return ChildReport(ending=Ending.HUNG, error=f"no end within {self._timeout:g} s", **common)
        if status < 0:
            name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
            after = " after it had answered" if answer else ""
            return ChildReport(
                ending=Ending.CRASHED, error=f"killed by {name}{after}", signal=-status, **common
            )
        if "error" in answer:
            return ChildReport(
                ending=Ending.RAISED,
                error=answer["error"],
                error_type=answer["type"],
                traceback=answer["traceback"],
                **common,
            )
        if status != 0 or not answer:
            return ChildReport(
                ending=Ending.CRASHED, error=f"exit status {status} without an answer", **common
            )
        return ChildReport(ending=Ending.OK, **common)

    def _close_files(self) -> None:
        for file in (self._answer, self._stdout, self._stderr):
            file.close()


def start(
    target: str,
    *arguments: Any,
    timeout: float,
    limits: Limits | None = None,
    environment: Mapping[str, str | None] | None = None,
) -> Child:
    """Start `package.module:function` with `arguments` in a fresh interpreter, and don't wait for it.

    Start it from a thread that lives as long as the child may: Linux kills it with that thread.

    Args:
        target: a function that returns a JSON value; it is imported in the child alone.
        arguments: JSON values.
        timeout: seconds from now until it is killed with its whole process group.
        limits: resource limits of the child.
        environment: variables to set, or to take away with None. pytest's own are never inherited:
            torch_geometric behaves differently under them.
    """
    return Child(target, arguments, timeout=timeout, limits=limits or Limits(), environment=environment or {})


def run(
    target: str,
    *arguments: Any,
    timeout: float,
    limits: Limits | None = None,
    environment: Mapping[str, str | None] | None = None,
) -> ChildReport:
    """As `start`, and wait for its end."""
    with start(target, *arguments, timeout=timeout, limits=limits, environment=environment) as child:
        return child.wait()


def _child_environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    for name, value in changes.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return environment


def _anonymous_file() -> IO[bytes]:
    # In memory where the system can: a container may have no writable folder.
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("gnnbench-child"), "w+b")
    return tempfile.TemporaryFile()


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    return file.read().decode("utf-8", "replace")


def _read_answer(file: IO[bytes]) -> dict[str, Any]:
    file.seek(0)
    try:
        answer = json.loads(file.read() or b"{}")
    except ValueError:  # killed while it wrote
        return {}
    return answer if isinstance(answer, dict) else {}


def _serve(order: dict[str, Any]) -> None:
    """In the child: run the target and write the answer."""
    _die_with(order["parent"])
    _limit(*order["limits"])
    module, _, function = order["target"].partition(":")
    try:
        value = getattr(importlib.import_module(module), function)(*order["arguments"])
        answer = json.dumps({"value": value})
    except Exception as error:
        answer = json.dumps(
            {
                "type": type(error).__name__,
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        )
    with os.fdopen(order["answer"], "w", closefd=False) as file:
        file.write(answer)


def _die_with(parent: int) -> None:
    """Let Linux kill this process when `parent` dies, however it dies."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _limit(address_space: int | None, memlock: int | None, open_files: int | None) -> None:
    for number, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_MEMLOCK, memlock),
        (resource.RLIMIT_NOFILE, open_files),
    ):
        if value is not None:
            resource.setrlimit(number, (value, value))
