"""Facts about the Python that runs."""

from __future__ import annotations

import platform
import struct
import subprocess
import sys

from gnnbench.environment.child.interpreter import clean_environment
from gnnbench.environment.fact import FactSpec

#: For an interpreter to start and end; on a cold disk it takes seconds.
_STARTUP_S = 60.0


def bits() -> int:
    """The width of a pointer in this interpreter, in bits."""
    return struct.calcsize("P") * 8


def startup() -> subprocess.CompletedProcess[str]:
    """A program that does nothing, run by this interpreter: how it ended, and what was said on standard error.

    Raises `OSError` where no process can be started, and `subprocess.TimeoutExpired` where it does not end.
    """
    return subprocess.run(
        [sys.executable, "-c", "pass"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=clean_environment({}),
        text=True,
        errors="replace",
        timeout=_STARTUP_S,
        check=False,
    )


def in_virtual_environment() -> bool:
    """Whether this interpreter's packages are those of a virtual environment."""
    return sys.prefix != sys.base_prefix


FACTS = (
    FactSpec("python.version", "Python", platform.python_version, comparable=True, rule="specifier"),
    FactSpec(
        "python.implementation",
        "Implementation",
        platform.python_implementation,
        comparable=True,
        rule="equal",
    ),
    FactSpec("python.bits", "Pointer width", bits, unit="bit", rule="equal"),
    FactSpec("python.executable", "Interpreter", lambda: sys.executable),
    FactSpec("python.virtual_environment", "In a virtual environment", in_virtual_environment),
)
