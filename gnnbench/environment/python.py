"""Facts about the Python that runs."""

from __future__ import annotations

import platform
import struct
import sys

from gnnbench.environment.fact import FactSpec


def bits() -> int:
    """The width of a pointer in this interpreter, in bits."""
    return struct.calcsize("P") * 8


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
