"""Clauses about services that an image starts: what listens on this machine's loopback, and what it speaks."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gnnbench.contract.clause import Clause, Place, Ruling, State
from gnnbench.record import Environment

#: Seconds in which a service must have answered; on loopback a sound one takes milliseconds.
TIMEOUT_S = 5.0
#: More than any banner or answer is long, in bytes.
_ENOUGH = 1 << 16


@dataclass(frozen=True, slots=True)
class ServiceClause(Clause):
    """A TCP port on loopback that is listened on, by something that speaks `speaks` where that is named."""

    port: int
    port_place: Place
    speaks: str = ""
    speaks_place: Place | None = None

    def judge(self, environment: Environment) -> Ruling:
        """Connect and ask. The environment says nothing of it: services come and go."""
        listening = f"something that listens on port {self.port}"
        try:
            with socket.create_connection(("localhost", self.port), timeout=TIMEOUT_S) as connection:
                if not self.speaks:
                    return self._rule(True, listening, "it listens")
                expected, ask, _ = PROTOCOLS[self.speaks]
                answer = ask(connection)
        except OSError as error:
            if self.speaks and not isinstance(error, (ConnectionRefusedError, socket.gaierror)):
                answer, expected = f"no answer: {error.strerror or error}", PROTOCOLS[self.speaks][0]
            else:
                return Ruling(
                    state=State.BROKEN,
                    expected=listening,
                    found=f"none: {error.strerror or error}",
                    fix=f"start it before the checks run, in the same container; `ss -ltn` lists what listens; {self._hint()}",
                    place=self.port_place,
                )
        return Ruling(
            state=State.HELD if answer == "" else State.BROKEN,
            expected=expected,
            found=answer or "it",
            fix=f"look at what else has taken port {self.port}: `ss -ltnp`; {self._hint()}",
            place=self.speaks_place,
        )

    def _hint(self) -> str:
        return PROTOCOLS[self.speaks][2] if self.speaks else "look at the image's entrypoint"


def _receive(connection: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
    """Bytes until `enough` of them, the end of the stream, or the time is over: a peer may drip for ever."""
    end = time.monotonic() + TIMEOUT_S
    data = b""
    while len(data) < _ENOUGH and not enough(data):
        connection.settimeout(max(end - time.monotonic(), 0.001))
        try:
            chunk = connection.recv(4096)
        except OSError:
            break  # the time is over, or the peer has hung up: what it said stands
        if not chunk:
            break
        data += chunk
    return data


def _ask_ssh(connection: socket.socket) -> str:
    # RFC 4253, 4.2: lines of other text may stand before the one that begins with SSH-.
    def greeted(data: bytes) -> bool:
        return any(line.startswith(b"SSH-") for line in data.split(b"\n")[:-1])

    data = _receive(connection, greeted)
    lines = data.split(b"\n")
    if any(line.startswith((b"SSH-2.0-", b"SSH-1.99-")) for line in lines):
        return ""
    return _said(data)


def _ask_jupyter(connection: socket.socket) -> str:
    connection.sendall(b"GET /api HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n")
    data = _receive(connection, lambda data: _json_body(data) is not None)
    answer = _json_body(data)
    version = answer.get("version") if isinstance(answer, dict) else None
    return "" if isinstance(version, str) and re.match(rb"HTTP/1\.[01] 200\b", data) else _said(data)


def _json_body(data: bytes) -> Any:
    try:
        return json.loads(data.partition(b"\r\n\r\n")[2])
    except (ValueError, RecursionError):
        return None


def _said(data: bytes) -> str:
    line = data.strip().partition(b"\n")[0].decode("utf-8", "replace").strip()
    return f"an answer that begins with {line[:60]!r}" if line else "no answer"


#: Word → what is expected, how it is asked for (empty: it is that), and what to do.
PROTOCOLS: dict[str, tuple[str, Callable[[socket.socket], str], str]] = {
    "jupyter": (
        "Jupyter, which answers GET /api with its version",
        _ask_jupyter,
        "Jupyter: `jupyter lab --ip=0.0.0.0 --no-browser`, and its own log",
    ),
    "ssh": (
        "a server that greets with SSH-2.0",
        _ask_ssh,
        "SSH: `sshd -t` tells what is wrong with its configuration",
    ),
}
