"""What a child leaves behind: its answer, and what it printed."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import IO, Any

_TAIL_BYTES = 8_000


class Papers:
    """Three anonymous files instead of pipes: a grandchild that outlives the child holds no reader up.

    Raises `OSError` where no more files may be opened.
    """

    def __init__(self) -> None:
        with contextlib.ExitStack() as opened:  # all, or none that is left open
            self._answer, self._stdout, self._stderr = (
                opened.enter_context(_anonymous_file()) for _ in range(3)
            )
            opened.pop_all()

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """Of the answer, of standard output and of standard error."""
        return self._answer.fileno(), self._stdout.fileno(), self._stderr.fileno()

    def answer(self) -> dict[str, Any]:
        """What the child answered; empty where it wrote nothing, or was killed while it wrote."""
        self._answer.seek(0)
        try:
            answer = json.loads(self._answer.read() or b"{}")
        except ValueError:
            return {}
        return answer if isinstance(answer, dict) else {}

    def stdout(self) -> str:
        """The last few thousand characters that it printed."""
        return _tail(self._stdout)

    def stderr(self) -> str:
        """Likewise of standard error."""
        return _tail(self._stderr)

    def close(self) -> None:
        """Throw them away."""
        for file in (self._answer, self._stdout, self._stderr):
            file.close()


def _anonymous_file() -> IO[bytes]:
    # In memory where the system can: a container may have no writable folder.
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("gnnbench-child"), "w+b")
    return tempfile.TemporaryFile()


def _tail(file: IO[bytes]) -> str:
    # By position: the child writes through the same open file, and its place in it must not be moved.
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode("utf-8", "replace")
