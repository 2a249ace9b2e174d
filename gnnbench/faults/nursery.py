"""The process in which faults are planted: imports what is heavy once, and forks a fresh process for each.

Standard input: one order a line, as JSON: `fault` (an id), `broken` (or its clean twin), `folder` (for the
run's reports), `timeout` in seconds. Its arguments: how many run at a time, then folders with more faults. Standard
output: a line with `environment`, then one line an order, as it ends: `fault`, `broken`, `status` (of the process;
negative: a signal), `timed_out` (the seconds that were too few, or null) and `seconds`.

Forking is safe here: nothing has started a thread or touched a GPU, for what is imported is not used.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from gnnbench.checks.recorder import Events
from gnnbench.checks.suites import pytest_options, suites_folder
from gnnbench.environment import collect
from gnnbench.environment.child.inside import die_with
from gnnbench.faults.catalogue import catalogue
from gnnbench.faults.fault import Fault
from gnnbench.record.codec import encode

_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class _Running:
    order: dict[str, Any]
    started: float


def main() -> None:
    """Serve all orders, then end."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    waiting = deque(json.loads(line) for line in sys.stdin)
    _import_what_is_heavy()
    _tell_environment(answers)
    running: dict[int, _Running] = {}
    late: set[int] = set()
    while waiting or running:
        while waiting and len(running) < int(sys.argv[1]):
            order = waiting.popleft()
            running[_fork(order)] = _Running(order, time.monotonic())
        time.sleep(_POLL_S)
        for pid, status in _ended(running, late):
            done = running.pop(pid)
            answers.write(
                json.dumps(
                    {
                        "fault": done.order["fault"],
                        "broken": done.order["broken"],
                        "status": status,
                        "timed_out": done.order["timeout"] if pid in late else None,
                        "seconds": round(time.monotonic() - done.started, 3),
                    }
                )
                + "\n"
            )


def _tell_environment(answers: IO[str]) -> None:
    """From a fork, for reading facts may touch a GPU."""
    pid = os.fork()
    if pid == 0:
        try:
            answers.write(json.dumps({"environment": encode(collect())}) + "\n")
            answers.flush()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _import_what_is_heavy() -> None:
    """Before pytest, as a user's program does it: PyG behaves differently when it is imported under pytest."""
    import importlib

    for name in ("torch", "torch_geometric.nn", "torch_geometric.datasets", "pytest", "gnnbench.plugin"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # the checks will say what lacks
    importlib.import_module("gnnbench.reference")
    importlib.import_module("gnnbench.numerics")


def _fork(order: dict[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _live(order, parent)
    return pid


def _live(order: dict[str, Any], parent: int) -> NoReturn:
    """The forked side: plant, run the suites, leave."""
    status = 3
    try:
        os.setsid()
        die_with(parent)
        log = os.open(Path(order["folder"]) / "pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdin.close()
        # What a plant builds goes with the run.
        tempfile.tempdir = order["folder"]
        # As if somebody watched: whoever does writes the reports, and here nobody needs them.
        os.environ[Events.VARIABLE] = str(os.open(os.devnull, os.O_WRONLY))
        import pytest

        fault = catalogue([Path(folder) for folder in sys.argv[2:]])[order["fault"]]
        plugin = fault.plant(order["broken"])
        status = int(pytest.main(_arguments(fault, order["folder"]), plugins=[plugin] if plugin else None))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _arguments(fault: Fault, folder: str) -> list[str]:
    return [
        *(str(suites_folder() / name) for name in fault.suites),
        *pytest_options(),
        *("--gnnbench-output", folder, "--gnnbench-run-id", "run", "--gnnbench-device", "cpu"),
        # One searches all objects of torch and PyG for cycles when a session ends; the other costs each check a
        # millisecond, to catch what libraries log.
        *("-p", "no:unraisableexception", "-p", "no:logging"),
        *("--gnnbench-tier", fault.tier, "-k", fault.keyword, "--benchmark-max-time=0.01"),
        *fault.options,
    ]


def _ended(running: dict[int, _Running], late: set[int]) -> Iterator[tuple[int, int]]:
    """Those that have left, and those whose time is over, which are killed with all that they started."""
    for pid, one in list(running.items()):
        if time.monotonic() - one.started > one.order["timeout"]:
            late.add(pid)
            os.killpg(pid, signal.SIGKILL)
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            yield pid, os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
