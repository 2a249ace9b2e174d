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
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from gnnbench.checks.recorder import Events

#: How long a child that was asked to stop may take to finish its document, in seconds.
GRACE_S = 30.0


class PytestChild:
    """One pytest process, its events, and its end.

    Args:
        command: what to start.
        log: where its output goes, or None to leave it the terminal (for `--pdb`, `-s`, `--collect-only`).
    """

    def __init__(self, command: Sequence[str], log: Path | None) -> None:
        self._command = list(command)
        self._log = log
        self._stop_asked = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, handle: Callable[[dict[str, Any]], None]) -> int:
        """Start it, hand over each event as it comes, and return its exit status (negative: a signal)."""
        reading, writing = os.pipe()
        environment = {**os.environ, Events.VARIABLE: str(writing)}
        output = None if self._log is None else self._log.open("wb")
        try:
            with self._forwarding_signals():
                self._process = subprocess.Popen(
                    self._command,
                    env=environment,
                    pass_fds=[writing],
                    stdin=None if output is None else subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT if output is not None else None,
                    # In a session of its own, Ctrl-C reaches it once, from us, and not twice.
                    start_new_session=output is not None,
                )
                os.close(writing)
                writing = -1
                self._read(reading, handle)
                return self._process.wait()
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)
            if output is not None:
                output.close()

    def _read(self, descriptor: int, handle: Callable[[dict[str, Any]], None]) -> None:
        process = self._process
        assert process is not None
        os.set_blocking(descriptor, False)
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                ended = process.poll() is not None  # asked before reading, so that nothing is missed
                ready = selector.select(timeout=0 if ended else 0.1)
                chunk = os.read(descriptor, 1 << 16) if ready else b""
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    handle(json.loads(line))
                # A grandchild may hold the pipe open, so its end is no sign; an ended child is.
                if ended and not chunk:
                    return
                if not chunk and ready:
                    selector.unregister(descriptor)
                    process.wait()
                    return
                if self._stop_asked and time.monotonic() - self._stop_asked > GRACE_S:
                    self._kill()

    @contextmanager
    def _forwarding_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM ask the child to finish its document; a second one kills it."""
        before = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._process is None:
            raise KeyboardInterrupt
        if self._stop_asked and time.monotonic() - self._stop_asked > 1:
            self._kill()
            return
        self._stop_asked = self._stop_asked or time.monotonic()
        if self._log is not None or number == signal.SIGTERM:
            self._process.send_signal(signal.SIGINT)

    def _kill(self) -> None:
        assert self._process is not None
        if self._log is None:
            self._process.kill()
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended in the meantime
