"""F43: /dev/shm is as small as container runtimes make it."""

from __future__ import annotations

from gnnbench.faults.fault import Fault

#: Where file systems can't be mounted: what NCCL and our probe reserve with says what a full one says.
_REFUSE = """
import os
allocate = os.posix_fallocate

def small(descriptor, offset, size):
    if size > {size}:
        raise OSError(28, "No space left on device")
    return allocate(descriptor, offset, size)

os.posix_fallocate = small
"""


def plant(broken: bool) -> None:
    """A /dev/shm of 1 MiB, or of 1 GiB, in a mount namespace of this process."""
    import subprocess
    import tempfile
    from pathlib import Path

    from gnnbench.faults.children import spoil_children
    from gnnbench.faults.namespaces import private_mounts

    size = 1 << 20 if broken else 1 << 30
    mounted = private_mounts() and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", "/dev/shm"],  # noqa: S108 - the place itself
        stderr=subprocess.DEVNULL,
    )
    if not mounted:
        source = {"gnnbench.environment.shared_memory": _REFUSE.format(size=size)}
        spoil_children(Path(tempfile.mkdtemp(prefix="gnnbench-shm-")), source)


FAULT = Fault(
    id="F43",
    title="Shared memory has 1 MiB",
    symptom="NCCL fails in posix_fallocate with `No space left on device`; workers of a DataLoader die of SIGBUS",
    sources=("NVIDIA/nccl#290", "NVIDIA/nccl#342"),
    areas=("DIST", "ENV"),
    caught_by=("environment/limits/shared_memory",),
    says=("shared memory is too small", "256 MiB of /dev/shm", "No space left on device", "--shm-size=1g"),
    keyword="limits and shared_memory",
    plant=plant,
)
