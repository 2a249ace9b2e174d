"""How much memory a trial may have, so that the host is never in danger."""

from __future__ import annotations

import re
import resource
from collections.abc import Callable
from pathlib import Path

import psutil

MIB = 1 << 20

#: Left to the host whatever a trial asks for: the larger of 1 GiB and a tenth of its memory. It covers what
#: is not under the budget (the graph itself, torch in the child) and everybody else's next allocation.
_RESERVE_BYTES = 1 << 30
_RESERVE_SHARE = 0.1

#: Limits beyond any machine mean "no limit": cgroup v1 says 2^63 less a page.
_NO_LIMIT = 1 << 60


class BudgetError(ValueError):
    """A budget that can't be given, with what can."""


def available_host_bytes(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes that could be allocated now without swapping or reaching this process's cgroup limit."""
    free = int(psutil.virtual_memory().available)
    return max(0, min([free, *_cgroup_room(root, own)]))


def _cgroup_room(root: Path, own: Path) -> list[int]:
    """Limit less usage of this process's memory cgroup and of those above it, where they can be read."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    room = []
    for line in lines:
        match = re.fullmatch(r"\d+:([^:]*):(/.*)", line)
        if match is None:
            continue
        controllers, path = match.groups()
        if controllers == "":
            base, limit, usage = root, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base, limit, usage = root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # In a container the path may be the host's and absent here; the mounted root then is the own group.
        folder = base / path.lstrip("/")
        while True:
            bound, used = _number(folder / limit), _number(folder / usage)
            if bound is not None and used is not None and bound < _NO_LIMIT:
                # Page cache counts as used and would be dropped; inactive file pages are the part that surely
                # would.
                room.append(bound - used + _inactive_file(folder))
            if folder == base or base not in folder.parents:
                break
            folder = folder.parent
    return room


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # absent, or "max"
        return None


def _inactive_file(folder: Path) -> int:
    try:
        match = re.search(
            r"^(?:total_)?inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE
        )
    except OSError:
        return 0
    return int(match[1]) if match else 0


def reserve_bytes() -> int:
    """What is always left to the host."""
    return max(_RESERVE_BYTES, int(_RESERVE_SHARE * psutil.virtual_memory().total))


def largest_host_budget() -> int:
    """The largest budget that leaves the host its reserve, in bytes; 0 where there is none to give."""
    return max(0, available_host_bytes() - reserve_bytes())


def require_host_budget(budget: int) -> int:
    """`budget` if it can be given.

    Raises:
        BudgetError: it is not positive, or the host could not keep its reserve.
    """
    if budget <= 0:
        raise BudgetError(f"expected a memory budget above 0 bytes, found {budget}")
    most = largest_host_budget()
    if budget > most:
        raise BudgetError(
            f"expected a memory budget of at most {most / MIB:,.0f} MiB, found {budget / MIB:,.0f} MiB: "
            f"{available_host_bytes() / MIB:,.0f} MiB are free and "
            f"{reserve_bytes() / MIB:,.0f} MiB stay with the host. "
            "Ask for less, or free memory."
        )
    return budget


def address_space() -> tuple[int, int]:
    """This process's address space in bytes, and the most it has been since it was forked.

    Raises:
        OSError: no /proc, or a kernel that does not keep the second.
    """
    status = Path("/proc/self/status").read_text()
    kib = dict(re.findall(r"^(VmSize|VmPeak):\s*(\d+) kB$", status, re.MULTILINE))
    if len(kib) < 2:
        raise OSError("/proc/self/status has no VmSize and VmPeak: address space can't be measured here")
    return 1024 * int(kib["VmSize"]), 1024 * int(kib["VmPeak"])


def limit_address_space(budget: int) -> int:
    """Let this process map `budget` bytes more than it has mapped now, and no more; returns what it has now.

    It counts address space: reserved and never touched counts too, and what was mapped before, torch's
    libraries above all, does not. Allocations beyond it fail as they do on a machine whose memory is used up,
    without using any up.

    Raises:
        BudgetError: a limit that was set before is lower.
    """
    now, _ = address_space()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY and now + budget > hard:
        raise BudgetError(
            f"expected room for {budget / MIB:,.0f} MiB, found a limit on address space "
            "(`ulimit -v`) that leaves "
            f"{(hard - now) / MIB:,.0f} MiB: raise it"
        )
    resource.setrlimit(resource.RLIMIT_AS, (now + budget, hard))
    return now


def heap_trimmer() -> Callable[[], None]:
    """What hands freed heap back to the system (glibc's malloc_trim); does nothing where there is none."""
    import ctypes

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return lambda: None
    return lambda: trim(0)
