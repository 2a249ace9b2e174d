"""Facts about the operating system."""

from __future__ import annotations

import os
import platform

from gnnbench.environment.fact import FactSpec


def distribution() -> str | None:
    """The distribution as it names itself, for example `Ubuntu 24.04.1 LTS`."""
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


FACTS = (
    FactSpec("system.distribution", "Distribution", distribution, rule="equal"),
    FactSpec("system.kernel", "Kernel", platform.release),
    FactSpec("system.machine", "Architecture", platform.machine, comparable=True, rule="equal"),
    FactSpec("system.libc", "C library", lambda: os.confstr("CS_GNU_LIBC_VERSION"), rule="equal"),
)
