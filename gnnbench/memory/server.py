"""The child process that runs trials: imports torch once, and forks a fresh process from there for each.

Read from standard input: one `TrialRequest` a line. Written to standard output: lines of JSON with `ready`, a
`phase`, or an `outcome`. Its argument is the parent's process id. It ends when its input does, or its parent.

On a CPU each trial has a process of its own, so that no trial inherits another's heap or limits. On a GPU one
process keeps its CUDA context over many trials, and is replaced when it is found unhealthy, dies or hangs:
starting CUDA takes longer than a trial. This process itself never touches CUDA, which can't be forked.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gnnbench.environment.child.inside import die_with
from gnnbench.memory.budget import heap_trimmer
from gnnbench.memory.outcome import TrialEnd, TrialOutcome, outcome_of_status
from gnnbench.memory.request import TrialRequest

Line = dict[str, Any]


def main() -> None:
    """Serve until the input ends."""
    die_with(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not an answer

    import torch

    import gnnbench.memory.trial
    import gnnbench.reference  # noqa: F401 - imported here once, not in every fork

    # One thread: forking a process whose thread pool has started hangs its child, and a pool's workspace
    # would make memory depend on the number of cores.
    torch.set_num_threads(1)

    def say(line: Line) -> None:
        answers.write(json.dumps(line) + "\n")

    say({"ready": os.getpid()})
    host, resident = HostTrials(), ResidentWorker()
    try:
        for line in sys.stdin:
            started = time.monotonic()
            device = json.loads(line)["device"]
            runner: Callable[[str, Callable[[Line], None]], TrialOutcome]
            runner = host.run if device == "cpu" else resident.run
            outcome = runner(line, say)
            say({"outcome": {**outcome.encode(), "seconds": time.monotonic() - started}})
    finally:
        resident.stop()


class HostTrials:
    """Trials on the CPU, a process each."""

    def __init__(self) -> None:
        self._warmed: set[str] = set()
        self._trim = heap_trimmer()

    def run(self, line: str, say: Callable[[Line], None]) -> TrialOutcome:
        """Make the graph here, fork, and wait for the answer."""
        from gnnbench.memory.trial import conduct, first_line, prepare, warm_up

        say({"phase": "graph"})
        try:
            request = TrialRequest.decode(line)
            prepared = prepare(request)
            kind = f"{json.loads(line)['backend']} {request.workload.dtype}"
            if kind not in self._warmed:
                # Here and not in the fork, so that a backend's imports are paid once.
                with contextlib.suppress(Exception):  # the trial will meet it again, and say it
                    warm_up(request)
                self._warmed.add(kind)
        except Exception as error:
            return TrialOutcome(end=TrialEnd.ERROR, phase="graph", detail=first_line(error))
        gc.collect()
        gc.freeze()  # the forked process collects its own garbage only, and copies no page to look at ours
        self._trim()
        child = Child(
            lambda tell: tell_outcome(tell, conduct(prepared, lambda phase: tell({"phase": phase})))
        )
        outcome = child.await_outcome(request.timeout, say)
        child.stop()
        return outcome


class ResidentWorker:
    """A process that keeps its CUDA context from trial to trial, while it is healthy."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def run(self, line: str, say: Callable[[Line], None]) -> TrialOutcome:
        """Hand the request on; afterwards keep the process only if it answered that it is well."""
        if self._child is None:
            self._child = Child(_serve_trials, conversing=True)
        self._child.send(line)
        outcome = self._child.await_outcome(float(json.loads(line)["timeout"]), say)
        if not outcome.healthy or outcome.end in (TrialEnd.CRASHED, TrialEnd.TIMED_OUT, TrialEnd.ERROR):
            self.stop()
        return outcome

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._child is not None:
            self._child.stop()
            self._child = None


def _serve_trials(tell: Callable[[Line], None]) -> None:
    """The resident worker's life: one trial after another, with a look at its own health after each."""
    from gnnbench.memory.trial import conduct, first_line, prepare, warm_up

    warmed: set[str] = set()
    for line in sys.stdin:
        tell({"phase": "graph"})
        try:
            request = TrialRequest.decode(line)
            kind = f"{json.loads(line)['backend']} {request.workload.dtype}"
            if kind not in warmed:
                with contextlib.suppress(Exception):
                    warm_up(request)
                warmed.add(kind)
            outcome = conduct(prepare(request), lambda phase: tell({"phase": phase}))
            healthy = _healthy(request)
        except Exception as error:
            outcome = TrialOutcome(end=TrialEnd.ERROR, phase="graph", detail=first_line(error))
            healthy = False
        tell_outcome(tell, outcome, healthy=healthy)


def _healthy(request: TrialRequest) -> bool:
    """Whether a small allocation and step still work here, and nothing of the trial is left (F51, F52)."""
    import torch

    from gnnbench.memory.trial import warm_up

    device = torch.device(request.device)
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device)
    try:
        warm_up(request)
        torch.cuda.synchronize(device)
    except Exception:
        return False
    gc.collect()
    # More than a cuBLAS workspace (32 MiB on Hopper, the largest) that outlived its trial is a leak.
    return torch.cuda.memory_allocated(device) <= before <= 64 << 20


def tell_outcome(tell: Callable[[Line], None], outcome: TrialOutcome, *, healthy: bool = True) -> None:
    """Send an outcome as a line."""
    tell({"outcome": {**outcome.encode(), "healthy": healthy}})


class Child:
    """A forked process in a group of its own, which tells lines through a pipe."""

    def __init__(self, life: Callable[[Callable[[Line], None]], None], *, conversing: bool = False) -> None:
        hear, tell = os.pipe()
        listen, send = os.pipe()
        parent = os.getpid()
        with warnings.catch_warnings():
            # Python 3.12 warns where other threads run; there are none that hold a lock we need.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            os.close(hear)
            os.close(send)
            _live(life, parent, tell, listen if conversing else None)
        os.close(tell)
        os.close(listen)
        self._hear, self._send = hear, send
        self._buffer = b""
        with contextlib.suppress(OSError):  # the child does the same; whoever is first
            os.setpgid(self.pid, self.pid)

    def send(self, line: str) -> None:
        """Give the child a line; a child that is gone is noticed when its answer is awaited."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._send, line.rstrip("\n").encode() + b"\n")

    def await_outcome(self, timeout: float, say: Callable[[Line], None]) -> TrialOutcome:
        """Pass phases on until the outcome comes, the child ends, or its time is up."""
        deadline = time.monotonic() + timeout
        phase = ""
        for line in self._lines(deadline):
            if "outcome" in line:
                return TrialOutcome.decode(line["outcome"])
            phase = line["phase"]
            say(line)
        if time.monotonic() >= deadline:
            self.stop()
            return TrialOutcome(
                end=TrialEnd.TIMED_OUT, phase=phase, detail=f"no answer within {timeout:g} s", healthy=False
            )
        return outcome_of_status(self._reap(), phase=phase)

    def _lines(self, deadline: float) -> Iterator[Line]:
        """What the child tells, until it closes its end or the deadline passes."""
        while True:
            while b"\n" in self._buffer:
                raw, self._buffer = self._buffer.split(b"\n", 1)
                yield json.loads(raw)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._hear], [], [], left)[0]:
                return
            chunk = os.read(self._hear, 1 << 16)
            if not chunk:
                return
            self._buffer += chunk

    def _reap(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return status

    def stop(self) -> None:
        """Kill what is left of the group, and close the pipes."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._reap()
        for descriptor in (self._hear, self._send):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _live(life: Callable[[Callable[[Line], None]], None], parent: int, tell: int, listen: int | None) -> None:
    """The forked side; never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        die_with(parent)
        _be_killed_first()
        if listen is None:
            os.close(0)
        else:
            os.dup2(listen, 0)
            sys.stdin = os.fdopen(0, closefd=False)
        life(lambda line: _write_all(tell, json.dumps(line).encode() + b"\n"))
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _be_killed_first() -> None:
    """Should the host run out of memory after all, let the kernel choose this process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()
