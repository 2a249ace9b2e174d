"""The pytest process that runs the checks, watched from a process that holds none of what is under test.

A crash in a driver or a kernel then ends the child alone: whoever watches still has every result, says
where it died, and finishes the document.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from gnnbench.checks.controller import ARGV_VARIABLE
from gnnbench.checks.recorder import Events

#: How long a child that was asked to stop may take to finish its document, in seconds.
GRACE_S = 30.0
#: How long a child may be silent from its start, in seconds: on a cold network drive importing torch takes minutes.
BEGIN_S = 900.0


class PytestChild:
    """One pytest process, its events, and its end. A context: while it lasts, signals go to the child.

    Args:
        command: what to start.
        log: where its output goes, or None to leave it the terminal (for `--pdb`, `-s`, `--collect-only`).
        begin_s: seconds after which a child that has said nothing is ended, with a trace of where it stands.
    """

    def __init__(self, command: Sequence[str], log: Path | None, *, begin_s: float = BEGIN_S) -> None:
        self._command = list(command)
        self._log = log
        self._begin_s = begin_s
        self._heard = False
        self._aborted = 0.0
        self._stop_asked = 0.0
        self._reading = -1
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> PytestChild:  # noqa: PYI034  (Self needs Python 3.11)
        self._started = time.monotonic()
        self._reading, writing = os.pipe()
        output = None if self._log is None else self._log.open("wb")
        try:
            self._process = subprocess.Popen(
                self._command,
                env={
                    # As with ini files, the caller's habits have no say: what is meant for pytest stands after --.
                    **{name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
                    Events.VARIABLE: str(writing),
                    ARGV_VARIABLE: json.dumps(["gnnbench", *sys.argv[1:]]),
                },
                pass_fds=[writing],
                stdin=None if output is None else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output is not None else None,
                # In a session of its own, Ctrl-C reaches it once, from us, and not twice.
                start_new_session=output is not None,
            )
        finally:
            os.close(writing)
            if output is not None:
                output.close()
        # Ctrl-C and SIGTERM ask the child to finish its document; a second one kills it.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._reading)

    def watch(self, handle: Callable[[dict[str, Any]], None]) -> None:
        """Hand over each event as it comes, until the one that says that the document is finished, or the end."""
        os.set_blocking(self._reading, False)
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._reading, selectors.EVENT_READ)
            while True:
                ended = self._process.poll() is not None  # asked before reading, so that nothing is missed
                ready = selector.select(timeout=0 if ended else 0.1)
                chunk = os.read(self._reading, 1 << 16) if ready else b""
                *lines, rest = (rest + chunk).split(b"\n")
                events = [json.loads(line) for line in lines]
                for event in events:
                    self._heard = True
                    handle(event)
                if not events:
                    handle({"event": "tick"})
                # A grandchild may hold the pipe open, so its end is no sign; an ended child is.
                if ((ended or ready) and not chunk) or any(event["event"] == "finish" for event in events):
                    return
                self._enforce_grace()
                self._enforce_beginning()

    @property
    def silent_s(self) -> float:
        """Seconds for which it had said nothing when it was ended for that; 0 where it was not."""
        return self._begin_s if self._aborted else 0.0

    @property
    def stopped(self) -> bool:
        """Whether the user asked it to stop."""
        return self._stop_asked > 0

    def wait(self) -> int:
        """Its exit status, when it has gone; negative: a signal."""
        while True:
            try:
                return self._process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                self._enforce_grace()

    def _enforce_grace(self) -> None:
        if self._stop_asked and time.monotonic() - self._stop_asked > GRACE_S:
            self._kill()

    def _enforce_beginning(self) -> None:
        """End a child that hangs before its first check, as where importing torch never returns."""
        if self._log is None or self._heard or self._stop_asked:
            return
        if self._aborted and time.monotonic() - self._aborted > GRACE_S:
            self._kill()
        elif not self._aborted and time.monotonic() - self._started > self._begin_s:
            self._aborted = time.monotonic()
            # pytest's fault handler writes down where it stands.
            self._process.send_signal(signal.SIGABRT)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop_asked and time.monotonic() - self._stop_asked > 1:
            self._kill()
            return
        self._stop_asked = self._stop_asked or time.monotonic()
        if self._log is not None or number == signal.SIGTERM:
            self._process.send_signal(signal.SIGINT)

    def _kill(self) -> None:
        if self._log is None:
            self._process.kill()
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended in the meantime
