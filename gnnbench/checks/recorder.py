"""The growing Run document: kept on disk while checks run, told to whoever watches."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gnnbench.record import (
    Environment,
    Invocation,
    Outcome,
    Result,
    Run,
    RunState,
    Verdict,
    save,
    verdict,
)
from gnnbench.record.codec import encode

#: The document is rewritten at most this often, and never for more than a twentieth of the time.
WRITE_INTERVAL_S = 0.5
WRITE_SHARE = 20


def new_run_id() -> str:
    """A name that sorts by time and is unique: `20261124T081502Z-3fa9c1`."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


class Recorder:
    """Owns the document of one run from its first check to its end.

    Every write replaces the whole file in one step, so a killed process leaves a valid document in state
    `running` that lacks at most the last half second.
    """

    def __init__(self, run_id: str, folder: Path, invocation: Invocation, version: str) -> None:
        self.folder = folder
        self._started = time.monotonic()
        self._run = Run(
            id=run_id,
            state=RunState.RUNNING,
            started_at=now(),
            gnnbench=version,
            invocation=invocation,
        )
        self._results: dict[str, Result] = {}
        self._selected: dict[str, None] = {}
        self._deselected: dict[str, int] = {}
        self._warnings: dict[str, None] = {}
        self._running: dict[str, None] = {}
        self._next_write = 0.0
        self._events = Events.from_environment()

    @property
    def path(self) -> Path:
        """Where the document stands."""
        return self.folder / "run.json"

    @property
    def watched(self) -> bool:
        """Whether another process follows the run, and will write the reports itself."""
        return self._events.listened

    def open(self) -> None:
        """Make the folder and write the first document; raises `OSError` where that can't be done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        save(self.snapshot(), self.path)

    def describe(self, environment: Environment, devices: Iterable[str]) -> None:
        """Say what machine and image the run is on."""
        invocation = dataclasses.replace(self._run.invocation, devices=tuple(devices))
        self._run = dataclasses.replace(self._run, environment=environment, invocation=invocation)
        self._events.send(event="environment", devices=list(invocation.devices))

    def complete(self, environment: Environment) -> None:
        """Say it again, now that all of it is known."""
        self._run = dataclasses.replace(self._run, environment=environment)

    def select(self, ids: Iterable[str]) -> None:
        """Say which checks are going to run."""
        self._selected.update(dict.fromkeys(ids))
        self._events.send(event="collected", ids=list(self._selected))

    def deselect(self, counts: Mapping[str, int]) -> None:
        """Say how many were left out on request. pytest-xdist workers all say the same; it counts once."""
        self._deselected = {reason: count for reason, count in counts.items() if count}

    def warn(self, message: str) -> None:
        """Put a line beside the results; said once however often it is heard."""
        self._warnings[message] = None

    def start(self, check_id: str) -> None:
        """A check begins."""
        self._running[check_id] = None
        self._events.send(event="start", id=check_id)

    def add(self, result: Result) -> None:
        """A check has ended. Two results for one id keep the worse: nothing is retried until it passes."""
        self._running.pop(result.id, None)
        known = self._results.get(result.id)
        if known is None or (known.outcome is not Outcome.FAILED and result.outcome is Outcome.FAILED):
            self._results[result.id] = result
        self._selected.setdefault(result.id)
        self._events.send(event="result", result=encode(result))
        self._write_if_due()

    def snapshot(self) -> Run:
        """The document as it stands."""
        return dataclasses.replace(
            self._run,
            duration_s=round(time.monotonic() - self._started, 3),
            results=tuple(self._results.values()),
            collected=len(self._selected),
            deselected=dict(self._deselected),
            unfinished=tuple(check for check in self._selected if check not in self._results),
            warnings=tuple(self._warnings),
        )

    def close(self, state: RunState, exit_code: int, ended_by: str = "") -> tuple[Run, Verdict]:
        """End the run: judge it, write it for the last time, and return it with its verdict.

        `exit_code` is pytest's. It stands unless it says no more than "passed" or "failed", where the
        verdict on the results says more.
        """
        if state is RunState.COMPLETE and self.snapshot().unfinished:
            state, ended_by = RunState.INTERRUPTED, "whoever ended the session, before its last check"
        if state is RunState.INTERRUPTED and self._running:
            ended_by = f"{ended_by} in {next(iter(self._running))}"
        run = dataclasses.replace(self.snapshot(), state=state, finished_at=now(), ended_by=ended_by)
        if exit_code in (0, 1) and state is RunState.COMPLETE and run.results:
            judged = int(verdict(run).exit_code)
            exit_code = judged if judged or not exit_code else exit_code
        elif exit_code == 0 and run.results:
            exit_code = int(verdict(run).exit_code)
        self._run = run = dataclasses.replace(run, exit_code=exit_code)
        save(run, self.path)
        self._events.send(event="finish", exit_code=exit_code)
        return run, verdict(run)

    def discard(self) -> None:
        """Take the document of a run that never began away, and its folder where nothing else is in it."""
        self.path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _write_if_due(self) -> None:
        begin = time.monotonic()
        if begin < self._next_write:
            return
        try:
            save(self.snapshot(), self.path)
        except OSError as error:
            # The run goes on: the disk may have room again at the end, and the watcher has the results.
            self.warn(f"the document could not be written while checks ran: {error}")
        took = time.monotonic() - begin
        self._next_write = begin + took + max(WRITE_INTERVAL_S, WRITE_SHARE * took)


class Events:
    """One JSON line an event, to the process that started this one. Silent where nobody listens."""

    VARIABLE = "_GNNBENCH_EVENTS_FD"

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._owner = os.getpid()
        #: Whether anybody was there to listen when the run began.
        self.listened = descriptor is not None

    @classmethod
    def from_environment(cls) -> Events:
        """Take the pipe over from the environment, so that no child of ours finds it there."""
        text = os.environ.pop(cls.VARIABLE, "")
        return cls(int(text) if text.isdigit() else None)

    def send(self, **event: Any) -> None:
        """Write one event; stop listening to a reader that has gone away."""
        if self._descriptor is None or os.getpid() != self._owner:
            return  # a forked child has the pipe too, and nothing to say on it
        line = (json.dumps(event) + "\n").encode()
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError:
            self._descriptor = None
