"""What runs in a child: it takes limits upon itself, runs its target, and writes the answer."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import traceback
from typing import Any

_PR_SET_PDEATHSIG = 1


def serve(order: dict[str, Any]) -> None:
    """Run the target that is ordered and write its answer.

    Args:
        order: `target` as `package.module:function`, its `arguments`, the descriptor `answer` to write to, the
            process id of the `parent`, and the `limits` for the address space, locked memory and open files.
    """
    die_with(order["parent"])
    _limit(*order["limits"])
    module, _, function = order["target"].partition(":")
    try:
        value = getattr(importlib.import_module(module), function)(*order["arguments"])
        answer = json.dumps({"value": value})
    except Exception as error:
        answer = json.dumps(
            {
                "type": type(error).__name__,
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        )
    with os.fdopen(order["answer"], "w", closefd=False) as file:
        file.write(answer)


def die_with(parent: int) -> None:
    """Let Linux kill this process when `parent` dies, however it dies; elsewhere nothing does."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)


def _limit(address_space: int | None, memlock: int | None, open_files: int | None) -> None:
    for number, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_MEMLOCK, memlock),
        (resource.RLIMIT_NOFILE, open_files),
    ):
        if value is not None:
            resource.setrlimit(number, (value, value))
