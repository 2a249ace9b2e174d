"""A child in a fresh interpreter: nothing of the process that asks reaches it but what it is given."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from gnnbench.environment.child.papers import Papers
from gnnbench.environment.child.report import ChildReport, Limits, judge, not_started

_POLL_S = 0.005
#: What a killed process may take to go, with many gigabytes to give back.
KILL_S = 10.0
#: Runs in the child before anything of ours: it gets the parent's sys.path, so that both find the same
#: modules, but not the working directory, where a folder `torch` would hide the installed one.
_BOOT = (
    "import json, sys; order = json.loads(sys.argv[1]); "
    "own = [p for p in sys.path if p]; "
    "sys.path[:] = own + [p for p in order['path'] if p not in own]; "
)


def command(work: str, order: Mapping[str, Any]) -> list[str]:
    """The command line of a fresh interpreter that runs the statement `work` on `order`, with our sys.path."""
    path = [str(Path(entry).absolute()) for entry in sys.path if entry]
    return [sys.executable, "-X", "faulthandler", "-c", _BOOT + work, json.dumps({**order, "path": path})]


def clean_environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """Our variables without pytest's own, and with `changes`; None takes one away."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    for name, value in changes.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return environment


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
        self._papers = Papers()
        answer, stdout, stderr = self._papers.descriptors
        order = {
            "target": target,
            "arguments": arguments,
            "answer": answer,
            "parent": os.getpid(),
            "limits": [limits.address_space, limits.memlock, limits.open_files],
        }
        self._started = time.monotonic()
        self._deadline = self._started + timeout
        self._timeout = timeout
        self._process = subprocess.Popen(
            command("from gnnbench.environment.child.inside import serve; serve(order)", order),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=[answer],
            env=clean_environment(environment),
            # A group of its own, so that whatever it starts can be killed with it.
            start_new_session=True,
        )

    def said(self) -> str:
        """What it has printed so far: the last few thousand characters."""
        return self._papers.stdout() if self._report is None else self._report.stdout

    @property
    def running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._report is None and not self._has_ended()

    def wait(self) -> ChildReport:
        """Wait until it has ended or its time is over, and kill all that it started."""
        if self._report is None:
            hung = not self._ended_before_deadline()
            status = self._kill()
            self._report = judge(
                self.target,
                answer=self._papers.answer(),
                status=status,
                hung_after=self._timeout if hung else None,
                seconds=time.monotonic() - self._started,
                stdout=self._papers.stdout(),
                stderr=self._papers.stderr(),
            )
            self._papers.close()
        return self._report

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
        while not self._has_ended():
            if time.monotonic() >= self._deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _has_ended(self) -> bool:
        # WNOWAIT leaves it unreaped, so that the number of its group can't go to a stranger before the kill.
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, options) is not None

    def _kill(self) -> int | None:
        """Its status; None where even SIGKILL does not end it, as in a driver that never returns from the kernel."""
        os.killpg(self._process.pid, signal.SIGKILL)
        try:
            return self._process.wait(KILL_S)
        except subprocess.TimeoutExpired:
            return None


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
    """As `start`, and wait for its end. Where the system lets no process start, the report says so."""
    try:
        child = start(target, *arguments, timeout=timeout, limits=limits, environment=environment)
    except OSError as error:
        return not_started(target, error)
    with child:
        return child.wait()
