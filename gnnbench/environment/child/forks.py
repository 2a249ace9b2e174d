"""The process that forks probes: it imports once what they all need, as a user's program imports it.

It reads orders from a socket, one packet each with three descriptors (answer, standard output, standard error),
and writes packets back: `{"ready": SECONDS}` once, then `{"id", "status", "hung"}` for each probe that has ended, or
`{"id", "refused": true}` for one of a GPU where an import has initialised CUDA, which can't be forked, and for one whose
descriptors did not arrive.

As many run at a time as there are cores; the others wait, and their time has not begun.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, NoReturn

from gnnbench.environment.child.inside import die_with, serve
from gnnbench.environment.child.interpreter import KILL_S

PACKET_BYTES = 1 << 20
_POLL_MS = 4
_DESCRIPTORS = 3
_PR_SET_CHILD_SUBREAPER = 36
#: CUDA_ERROR_NOT_INITIALIZED, which every function of the driver answers before cuInit (CUDA Driver API).
_NOT_INITIALIZED = 3


@dataclass(frozen=True, slots=True)
class _Order:
    content: dict[str, Any]
    descriptors: tuple[int, ...]

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Fork:
    id: int
    pid: int
    deadline: float


def main(order: dict[str, Any]) -> None:
    """Import what is to be shared, then serve until the socket is closed."""
    die_with(order["parent"])
    _adopt()
    connection = socket.socket(fileno=order["socket"])
    started = time.monotonic()
    for name in order["preload"]:
        # What can't be imported here can't be there: the probe that needs it will say so.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    # Forked processes then collect their own garbage only, and copy no page to look at ours.
    gc.collect()
    gc.freeze()
    _say(connection, {"ready": time.monotonic() - started})
    forkable, jobs = not _cuda_initialised(), max(2, len(os.sched_getaffinity(0)))
    waiting: deque[_Order] = deque()
    running: dict[int, _Fork] = {}
    poll = select.poll()
    poll.register(connection, select.POLLIN | select.POLLHUP)
    try:
        while True:
            if poll.poll(_POLL_MS if running or waiting else None):
                taken = _take(connection)
                if taken is None:
                    return
                # Fewer than were sent is what arrives where no more files may be open.
                if len(taken.descriptors) < _DESCRIPTORS or (taken.content["gpu"] and not forkable):
                    _say(connection, {"id": taken.content["id"], "refused": True})
                    taken.close()
                else:
                    waiting.append(taken)
            while waiting and len(running) < jobs:
                fork = _fork(connection, waiting.popleft())
                running[fork.pid] = fork
            for fork, status, hung in _ended(running):
                _say(connection, {"id": fork.id, "status": status, "hung": hung})
    finally:
        for pid in running:
            _kill(pid)


def _adopt() -> None:
    """Be the parent of what probes leave behind in sessions of their own: whoever ends this process finds it then."""
    with contextlib.suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _cuda_initialised() -> bool:
    """Whether anything that was imported has called cuInit: a fork of this process could not use a GPU then."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1", mode=getattr(os, "RTLD_NOLOAD", 4) | os.RTLD_LAZY)
        context = ctypes.c_void_p()
        return bool(cuda.cuCtxGetCurrent(ctypes.byref(context)) != _NOT_INITIALIZED)
    except (OSError, AttributeError):
        return False  # not even loaded


def _take(connection: socket.socket) -> _Order | None:
    """Read one order; None where nobody will send any more."""
    size = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
    packet, ancillary, _, _ = connection.recvmsg(PACKET_BYTES, size)
    if not packet:
        return None
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return _Order(json.loads(packet), tuple(descriptors))


def _fork(connection: socket.socket, order: _Order) -> _Fork:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _live(connection, {**order.content, "parent": parent}, order.descriptors)
    order.close()
    return _Fork(order.content["id"], pid, time.monotonic() + order.content["timeout"])


def _live(connection: socket.socket, order: dict[str, Any], descriptors: tuple[int, ...]) -> NoReturn:
    """The forked side. It leaves at once when it has answered: taking torch apart lasts longer than most probes."""
    status = 1
    try:
        os.setsid()
        connection.close()
        answer, stdout, stderr = descriptors
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for name, value in order["environment"].items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        serve({**order, "answer": answer})
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _reap(pid: int) -> int | None:
    """The status of what was killed; None where even SIGKILL does not end it."""
    end = time.monotonic() + KILL_S
    while time.monotonic() < end:
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_MS / 1000)
    return None


def _ended(running: dict[int, _Fork]) -> list[tuple[_Fork, int | None, bool]]:
    """Those that have left, with their status; those whose time is over are killed with all that they started."""
    found = []
    for pid, fork in list(running.items()):
        hung = time.monotonic() >= fork.deadline
        if not hung and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            continue
        _kill(pid)
        del running[pid]
        found.append((fork, _reap(pid), hung))
    return found


def _kill(pid: int) -> None:
    """The whole session of a fork; it may not have made it yet."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _say(connection: socket.socket, line: dict[str, Any]) -> None:
    connection.send(json.dumps(line).encode())
