"""The parent's side of the trials: starts the child process, asks, and survives whatever happens to it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import gnnbench
from gnnbench.memory.budget import require_host_budget
from gnnbench.memory.outcome import TrialEnd, TrialOutcome, outcome_of_status
from gnnbench.memory.request import TrialRequest
from gnnbench.memory.workload import Workload

if TYPE_CHECKING:
    from typing_extensions import Self

#: Bytes that making a graph takes at once, besides what is under the budget: its 16 an edge, the drawn ranks,
#: and two permutations.
_GRAPH_EDGE_BYTES, _GRAPH_NODE_BYTES = 48, 32

#: Seconds in which the child must have imported torch. Cold images on network file systems are slow.
START_TIMEOUT = 300.0

#: Seconds granted beyond a trial's own timeout, within which the child reports it.
_GRACE = 30.0


class TrialServerError(RuntimeError):
    """The child process that runs trials could not be started."""


class TrialServer:
    """Runs trials in a child process; use as a context manager, or call `close`.

    The child starts when first needed, or early with `start`, and is started anew after it died or hung. It
    dies with this process, however that ends.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._buffer = b""
        self._ready = False

    def __enter__(self) -> Self:
        """Itself; nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def start(self) -> None:
        """Start the child without waiting until it has imported torch."""
        if self._process is not None:
            return
        # What can be imported here must be importable there: the backend's class may stand in a test module.
        path = [str(Path(gnnbench.__file__).parents[1]), *(entry or str(Path.cwd()) for entry in sys.path)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
            # Thread pools that start on import would be there when the child forks.
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # glibc otherwise raises this threshold with what was freed before, so that the same trial would
            # take more or less address space depending on what ran before it. Fixed, every tensor is mapped
            # apart.
            "MALLOC_MMAP_THRESHOLD_": "65536",
            "MALLOC_TOP_PAD_": "0",
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gnnbench.memory.server", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            bufsize=0,
        )
        self._buffer, self._ready = b"", False

    def run(
        self,
        workload: Workload,
        backend: Any,
        *,
        device: str,
        budget_bytes: int | None,
        timeout: float = 60.0,
        steps: int = 1,
        recover_nodes: int | None = None,
    ) -> TrialOutcome:
        """Run one trial and wait for what comes of it.

        Args:
            workload: the sizes.
            backend: a `gnnbench.reference.Backend` whose class the child can import.
            device: `cpu` or `cuda:N`.
            budget_bytes: memory the steps may take, above what the process has before. On a CPU the graph's
                edge list is there before. None means the whole GPU; a CPU always has a budget.
            timeout: seconds for the trial itself; a child that has to be started first has its own.
            steps: training steps; with several, the memory in use after each is recorded.
            recover_nodes: after running out of memory, train this many nodes in the same process.

        Raises:
            BudgetError: the host could not keep its reserve.
            TypeError: the backend can't be sent to the child.
            TrialServerError: the child can't be started.
            ValueError: sizes or times out of range.
        """
        request = TrialRequest(
            workload=workload,
            backend=backend,
            device=device,
            budget_bytes=budget_bytes,
            timeout=timeout,
            steps=steps,
            recover_nodes=recover_nodes,
        )
        line = request.encode()
        if device == "cpu":
            if budget_bytes is None:
                raise ValueError("expected a budget in bytes for a trial on the CPU, found none")
            graph = _GRAPH_EDGE_BYTES * workload.num_edges + _GRAPH_NODE_BYTES * workload.num_nodes
            require_host_budget(budget_bytes + graph)
        self._await_ready()
        return self._ask(line, timeout)

    def _ask(self, line: str, timeout: float) -> TrialOutcome:
        assert self._process is not None
        assert self._process.stdin is not None
        deadline = time.monotonic() + timeout + _GRACE
        phase = "request"
        with contextlib.suppress(BrokenPipeError):  # a child that is gone is noticed below
            self._process.stdin.write(line.encode() + b"\n")
        for answer in self._lines(deadline):
            if "outcome" in answer:
                return TrialOutcome.decode(answer["outcome"])
            phase = answer.get("phase", phase)
        if time.monotonic() >= deadline:
            self._kill()
            return TrialOutcome(
                end=TrialEnd.TIMED_OUT,
                phase=phase,
                detail="the process that runs trials hangs",
                healthy=False,
            )
        outcome = outcome_of_status(_wait_status(self._process.wait()), phase=phase)
        self._kill()
        return outcome

    def _await_ready(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._kill()  # it died between two trials: a new one is as good
        self.start()
        if self._ready:
            return
        for answer in self._lines(time.monotonic() + START_TIMEOUT):
            if "ready" in answer:
                self._ready = True
                return
        told = self._stderr_tail()
        self._kill()
        raise TrialServerError(
            "the child process that runs memory trials did not start: expected it to import torch and "
            f"gnnbench.reference. It said: {told or 'nothing'}"
        )

    def _lines(self, deadline: float) -> Iterator[dict[str, Any]]:
        """What the child says, until it closes its end or the deadline passes."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while True:
            while b"\n" in self._buffer:
                raw, self._buffer = self._buffer.split(b"\n", 1)
                yield json.loads(raw)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                return
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                return
            self._buffer += chunk

    def _stderr_tail(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])

    def _kill(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process is not None:
            process.kill()  # its own children die with it
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def close(self) -> None:
        """End the child; nothing of it is left behind."""
        self._kill()


def _wait_status(returncode: int) -> int:
    """A `Popen` return code as the wait status it came from."""
    return -returncode if returncode < 0 else returncode << 8
