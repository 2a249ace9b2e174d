"""Limits that the kernel and the container put on this process."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

from gnnbench.environment.fact import FactSpec

SHM = Path("/dev/shm")  # noqa: S108  (the place, not a file of ours)
UNLIMITED = "unlimited"
#: cgroup v1 writes "no limit" as the largest multiple of the page size below 2^63.
_V1_UNLIMITED = 1 << 62


def shm_size(path: Path = SHM) -> int:
    """Size of the file system for shared memory, in bytes; raises `OSError` where there is none."""
    stat = os.statvfs(path)
    return stat.f_blocks * stat.f_frsize


def shm_free(path: Path = SHM) -> int:
    """What this user may still write there, in bytes."""
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize


def file_system(path: Path = SHM, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system that `path` is on, `tmpfs`; empty where /proc does not tell (proc_pid_mountinfo(5))."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    deepest, kind = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or not kinds:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        # The last of those at one place lies over the others.
        if path.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, kind = len(point.parts), kinds[0]
    return kind


def soft_limit(number: int) -> int | str:
    """The soft limit of a resource of `resource`, or `"unlimited"`."""
    soft, _ = resource.getrlimit(number)
    return UNLIMITED if soft == resource.RLIM_INFINITY else soft


def cgroup_version(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """2 for the unified hierarchy, 1 for the older one, None without either."""
    if (root / "cgroup.controllers").exists():
        return 2
    return 1 if root.is_dir() and any(root.iterdir()) else None


def cgroup_memory(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int | str:
    """The memory this process may use by its cgroups, in bytes: the least from its own group to the root."""
    if cgroup_version(root) == 2:
        values = _along(root, _group(membership, ""), "memory.max")
    else:
        values = _along(root / "memory", _group(membership, "memory"), "memory.limit_in_bytes")
    limits = [int(value) for value in values if value != "max"]
    least = min(limits, default=_V1_UNLIMITED)
    return UNLIMITED if least >= _V1_UNLIMITED else least


def cgroup_cpus(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> float | str:
    """The CPUs this process may use by its cgroups' quota: 1.5 is one and a half."""
    if cgroup_version(root) == 2:
        pairs = [value.split() for value in _along(root, _group(membership, ""), "cpu.max")]
    else:
        base, group = root / "cpu", _group(membership, "cpu")
        quotas, periods = _along(base, group, "cpu.cfs_quota_us"), _along(base, group, "cpu.cfs_period_us")
        pairs = [list(pair) for pair in zip(quotas, periods, strict=True)]
    shares = [int(quota) / int(period) for quota, period in pairs if quota not in ("max", "-1")]
    return min(shares, default=UNLIMITED, key=float) if shares else UNLIMITED


def _group(membership: Path, controller: str) -> str:
    """The path of this process in one hierarchy, from lines `number:controllers:path`."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return "/"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def _along(base: Path, group: str, name: str) -> list[str]:
    """Contents of file `name` in the group and each group above it; those that exist.

    In a container the group is often named as the host sees it, and is not there: the root then holds
    the container's own limit.
    """
    inner = base / group.strip("/")
    folders = [inner, *(parent for parent in inner.parents if parent == base or base in parent.parents)]
    return [(folder / name).read_text().strip() for folder in folders if (folder / name).is_file()]


FACTS = (
    FactSpec("limits.shm_size", "Shared memory (/dev/shm)", shm_size, unit="B", rule="at least"),
    FactSpec("limits.shm_free", "Shared memory free", shm_free, unit="B"),
    FactSpec(
        "limits.memlock",
        "Locked memory",
        lambda: soft_limit(resource.RLIMIT_MEMLOCK),
        unit="B",
        rule="at least",
    ),
    FactSpec("limits.nofile", "Open files", lambda: soft_limit(resource.RLIMIT_NOFILE), rule="at least"),
    FactSpec(
        "limits.address_space",
        "Address space",
        lambda: soft_limit(resource.RLIMIT_AS),
        unit="B",
        rule="at least",
    ),
    FactSpec("limits.stack", "Stack", lambda: soft_limit(resource.RLIMIT_STACK), unit="B"),
    FactSpec("limits.processes", "Processes of this user", lambda: soft_limit(resource.RLIMIT_NPROC)),
    FactSpec("limits.cgroup_version", "Control groups", cgroup_version),
    FactSpec(
        "limits.cgroup_memory",
        "Memory by control group",
        cgroup_memory,
        unit="B",
        comparable=True,
        rule="at least",
    ),
    FactSpec("limits.cgroup_cpus", "CPUs by control group", cgroup_cpus, comparable=True, rule="at least"),
)
