"""Children that share what takes long to import: forked from one clean process, each with a timeout of its own."""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from gnnbench.environment.child.forks import PACKET_BYTES
from gnnbench.environment.child.interpreter import KILL_S, clean_environment, command, run
from gnnbench.environment.child.papers import Papers
from gnnbench.environment.child.report import ChildReport, Limits, judge, not_started

#: For the server to import what is shared: on a cold file system torch alone takes most of a minute.
_START_S = 240.0


class ForkServer:
    """Starts at once and imports beside its caller; probes may be ordered before it is ready.

    Args:
        preload: modules that it imports, in this order; one that raises is left to the probe that needs it.
        environment: variables to set in it and its probes, or to take away with None; never pytest's own.
    """

    def __init__(
        self, preload: Sequence[str], *, environment: Mapping[str, str | None] | None = None
    ) -> None:
        self._ended: dict[int, dict[str, Any]] = {}
        self._forks: list[Forked] = []
        self._ordered = 0
        self._start_by = time.monotonic() + _START_S
        self.import_seconds: float | None = None
        """How long the imports took; None until it is ready."""
        self._ours: socket.socket | None = None
        self._papers: Papers | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # Without it each probe tries for itself, and says why it could not be started.
        with contextlib.suppress(OSError):
            self._process = self._started(preload, environment or {})
        self._gone = self._process is None

    def _started(
        self, preload: Sequence[str], environment: Mapping[str, str | None]
    ) -> subprocess.Popen[bytes]:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._papers = Papers()
            _, stdout, stderr = self._papers.descriptors
            order = {"socket": theirs.fileno(), "parent": os.getpid(), "preload": list(preload)}
            return subprocess.Popen(
                command("from gnnbench.environment.child.forks import main; main(order)", order),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[theirs.fileno()],
                env=clean_environment(environment),
                start_new_session=True,
            )

    def start(
        self,
        target: str,
        *arguments: Any,
        timeout: float,
        limits: Limits | None = None,
        environment: Mapping[str, str | None] | None = None,
        gpu: bool = False,
    ) -> Forked:
        """As `child.start`, but in a fork of the server; `timeout` counts from the fork.

        Args:
            target: a function that returns a JSON value.
            arguments: JSON values.
            timeout: seconds until it is killed with all that it started.
            limits: resource limits of the fork.
            environment: variables to set in the fork, or to take away with None. What has been read when the shared
                modules were imported, as LD_LIBRARY_PATH is, is out of its reach.
            gpu: whether it uses a GPU. It gets an interpreter of its own where the server can't be forked for one.
        """
        fork = Forked(self, target, arguments, timeout, limits or Limits(), environment or {}, gpu=gpu)
        self._forks.append(fork)
        return fork

    def send(self, order: dict[str, Any], papers: Papers) -> int | None:
        """Order a fork and return its number; None where the server is gone."""
        if self._ours is None or self._gone:
            return None
        self._ordered += 1
        packet = json.dumps({**order, "id": self._ordered}).encode()
        descriptors = array.array("i", papers.descriptors)
        try:
            self._ours.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        except OSError:
            self._gone = True
            return None
        return self._ordered

    def await_end(self, number: int, timeout: float) -> dict[str, Any] | None:
        """How fork `number` ended: `status` and `hung`; None where the server died before it, or refused it."""
        while number not in self._ended and not self._gone and self._ours is not None:
            ready = self.import_seconds is not None
            # The server keeps the probes' time; this is for a server that has stopped to answer.
            waits = timeout * len(self._forks) + 10  # those before it may hang, one after the other
            limit = waits if ready else max(0.0, self._start_by - time.monotonic())
            if not select.select([self._ours], [], [], limit)[0]:
                self._gone = True
                # What hangs when it is imported would hang each probe too, one after the other.
                return {"status": 0, "hung": True}
            try:
                packet = self._ours.recv(PACKET_BYTES)
            except ConnectionResetError:  # it died with an order unread
                packet = b""
            line = json.loads(packet) if packet else {}
            if "ready" in line:
                self.import_seconds = line["ready"]
            elif line:
                self._ended[line["id"]] = line
            else:
                self._gone = True
        end = self._ended.pop(number, None)
        return None if end is None or end.get("refused") else end

    def close(self) -> None:
        """End it, and all that it forked."""
        self._gone = True
        for opened in (self._ours, self._papers):
            if opened is not None:
                opened.close()
        if self._process is not None:
            _end(self._process)
        for fork in self._forks:
            fork.forget()

    def __enter__(self) -> ForkServer:  # noqa: PYI034  (Self needs Python 3.11)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _end(server: subprocess.Popen[bytes]) -> None:
    """Kill a server with all that it and its forks have started, those too that have left their sessions."""
    import psutil

    try:
        started = psutil.Process(server.pid).children(recursive=True)
    except (psutil.Error, OSError):  # it is gone by itself, or /proc is hidden
        started = []
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    for process in started:
        with contextlib.suppress(psutil.Error):
            process.kill()
    # Where it is stuck in the kernel, nobody can end it.
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(KILL_S)


class Forked:
    """A probe in a fork of a server. Where the server dies before it, it is run in an interpreter of its own.

    A torch that crashes when it is imported is then told by each probe, as it would be without the server.
    """

    def __init__(
        self,
        server: ForkServer,
        target: str,
        arguments: tuple[Any, ...],
        timeout: float,
        limits: Limits,
        environment: Mapping[str, str | None],
        *,
        gpu: bool,
    ) -> None:
        self.target = target
        self._server, self._arguments, self._timeout = server, arguments, timeout
        self._limits, self._environment = limits, environment
        self._number: int | None = None
        self._papers: Papers | None = None
        self._report: ChildReport | None = None
        self._started = time.monotonic()
        try:
            self._papers = Papers()
        except OSError as error:
            self._report = not_started(target, error)
            return
        order = {
            "target": target,
            "arguments": arguments,
            "timeout": timeout,
            "limits": [limits.address_space, limits.memlock, limits.open_files],
            "environment": dict(environment),
            "gpu": gpu,
        }
        self._number = server.send(order, self._papers)

    def wait(self) -> ChildReport:
        """Wait until it has ended or its time is over, and all that it started is killed."""
        if self._report is None:
            assert self._papers is not None
            end = None if self._number is None else self._server.await_end(self._number, self._timeout)
            self._report = self._alone() if end is None else self._judged(end, self._papers)
            self._papers.close()
        return self._report

    def forget(self) -> None:
        """Throw away what it left, where nobody waited for it."""
        if self._papers is not None:
            self._papers.close()

    def _judged(self, end: dict[str, Any], papers: Papers) -> ChildReport:
        return judge(
            self.target,
            answer=papers.answer(),
            status=end["status"],
            hung_after=self._timeout if end["hung"] else None,
            seconds=time.monotonic() - self._started,
            stdout=papers.stdout(),
            stderr=papers.stderr(),
        )

    def _alone(self) -> ChildReport:
        return run(
            self.target,
            *self._arguments,
            timeout=self._timeout,
            limits=self._limits,
            environment=self._environment,
        )
