"""The process that draws: what renders charts is a browser's engine, and ends its process where it is not let.

Under a limit on the address space (`ulimit -v`) or on threads it dies of a signal, and must not take a run along.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

#: Reads a specification a line and writes an answer a line, until its input ends. It needs nothing of ours.
_SERVE = """
import sys
sys.path[:] = [place for place in sys.path if place]
import json
import vl_convert
for line in sys.stdin:
    try:
        answer = {"svg": vl_convert.vegalite_to_svg(json.loads(line))}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"""
#: To end by itself when its input has ended.
_END_S = 5.0


class RendererError(RuntimeError):
    """The renderer has died, or could not be started."""


class Renderer:
    """Starts its process with the first drawing; usable from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._died = ""

    def svg(self, spec: Mapping[str, Any]) -> str:
        """Vega-Lite `spec` as SVG.

        Raises:
            RendererError: its process died or could not be started, now or at an earlier drawing.
            ValueError: it can't read the specification.
        """
        with self._lock:
            if not self._died:
                answer = self._ask(json.dumps(spec))
            if self._died:
                raise RendererError(self._died)
        if "error" in answer:
            raise ValueError(answer["error"])
        return str(answer["svg"])

    def _ask(self, line: str) -> dict[str, Any]:
        """Its answer; empty where it died, which is then told by `_died`."""
        try:
            if self._process is None:
                self._process = _start()
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            with contextlib.suppress(BrokenPipeError):  # told below, by how it ended
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError as error:
            self._died = f"the process that draws could not be started: {error}"
            return {}
        if not answer:
            self._died = f"the process that draws ended with {_how(self._process.wait())}"
            return {}
        read: dict[str, Any] = json.loads(answer)
        return read

    def close(self) -> None:
        """End its process, where there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        with process:  # closes the pipes
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A browser's engine says at length how it died.
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        # The charts of a run that Ctrl-C has ended are drawn after it.
        start_new_session=True,
    )


def _how(status: int) -> str:
    if status < 0 and -status in set(signal.Signals):
        return (
            f"{signal.Signals(-status).name}; a limit on memory, addresses (`ulimit -v`) or threads does that"
        )
    return f"status {status}"
