"""What the container grants: shared memory, locked memory, files, worker processes."""

from __future__ import annotations

import errno
import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.environment import gpu_absence
from gnnbench.environment.limits import UNLIMITED, file_system, shm_size, soft_limit
from gnnbench.environment.pyg import installed_extensions
from gnnbench.environment.shared_memory import lock, scratch

from .probing import Probing, shm_bytes, value_of

#: The least that is worth locking; older Docker allows 64 KiB.
_LOCKED_BYTES = 2**20
#: Linux' own default for a process.
_OPEN_FILES = 1024
#: What the C library gives a thread where no limit says more, on x86-64 (pthread_create(3)).
_STACK_BYTES = 2**21
#: File systems that keep their files on a disk, or across a network.
_DISKS = re.compile(
    r"ext[234]|xfs|btrfs|zfs|f2fs|bcachefs|overlay|aufs|nfs4?|cifs|ceph|lustre|gpfs|beegfs|9p|virtiofs|fuse.*"
)
#: What makes writing to shared memory fail whatever its size.
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR)
_INFINIBAND = Path("/sys/class/infiniband")


@dataclass(frozen=True)
class Limit:
    """What a limit of the kernel must allow at least."""

    number: int
    least: int | str
    what: str
    harm: str
    option: str
    """Of `ulimit`."""


#: By name: limits that are wide on every machine by default, and lethal where somebody has set them.
LIMITS = {
    "cpu_time": Limit(
        resource.RLIMIT_CPU,
        UNLIMITED,
        "CPU time",
        "a training is killed (SIGXCPU) when it has used it up",
        "-t",
    ),
    "file_size": Limit(
        resource.RLIMIT_FSIZE,
        UNLIMITED,
        "the size of a file",
        "checkpoints are cut, and what is shared between processes too (SIGXFSZ)",
        "-f",
    ),
    "address_space": Limit(
        resource.RLIMIT_AS,
        UNLIMITED,
        "the address space",
        "CUDA reserves addresses for all memory of all GPUs and of the host, and can't start",
        "-v",
    ),
    "data": Limit(
        resource.RLIMIT_DATA, UNLIMITED, "data", "allocations fail long before memory is full", "-d"
    ),
    "stack": Limit(
        resource.RLIMIT_STACK,
        _STACK_BYTES,
        "the stack",
        "threads of OpenMP and of autograd overflow it",
        "-s",
    ),
}


@check(
    catches=("F43",),
    fix="start the container with --shm-size=1g or --ipc=host; in Kubernetes mount an emptyDir of medium Memory there",
)
def test_shared_memory(probing: Probing, evidence: Evidence) -> None:
    """256 MiB of /dev/shm, with several GPUs 1 GiB, can be reserved and written, as DataLoader workers and NCCL do."""
    try:
        size = shm_size()
    except OSError as error:
        fail("there is no /dev/shm", expected="a file system for shared memory", found=str(error))
    evidence.fact("shm_bytes", size)
    kind = file_system()
    evidence.fact("file_system", kind)
    report = probing.start("limits/shared_memory").wait()
    number = _errno(report.error)
    if number in _NOT_WRITABLE:
        fail(
            f"shared memory can't be written to: {os.strerror(number)}",
            expected="a /dev/shm that this user may write to",
            found=report.error,
            cause="mounted read-only, a folder of another user, or kept from this one by a security module",
            fix="mount a tmpfs at /dev/shm with mode 1777, as every container runtime does by default",
        )
    if number in (errno.ENOSPC, errno.EDQUOT):
        fail(
            "shared memory is too small",
            expected=f"{shm_bytes() >> 20} MiB of /dev/shm to write to",
            found=f"{report.error.rpartition('] ')[2]}; it has {size >> 20} MiB",
            cause="the container runtime's default of 64 MB",
        )
    value_of(report, "writing to shared memory", evidence)
    if _DISKS.fullmatch(kind):
        fail(
            f"shared memory is not memory: /dev/shm lies on {kind}",
            expected="tmpfs",
            found=kind,
            cause="a /dev without a tmpfs at shm, in a chroot or a container that was started by hand",
            fix="mount a tmpfs at /dev/shm; batches of workers and what NCCL sends go through a disk otherwise",
        )


def _errno(error: str) -> int:
    """The number in the text of an `OSError`; 0 where there is none."""
    match = re.match(r"\w+: \[Errno (\d+)\]", error)
    return int(match[1]) if match else 0


@check(fix="start the container with --ulimit nofile=65536")
def test_open_files(evidence: Evidence) -> None:
    """As many files may be open as Linux allows by default: each tensor from a worker takes one."""
    found = soft_limit(resource.RLIMIT_NOFILE)
    evidence.fact("nofile", found)
    if found != UNLIMITED and int(found) < _OPEN_FILES:
        fail(
            f"only {found} files may be open at once",
            expected=f"at least {_OPEN_FILES}",
            found=str(found),
            cause="a limit set in the image, or by the service that starts containers",
        )


@check(
    fix="take the limit away: `ulimit` in the image's profile, `--ulimit` of the container, or limits of the service"
)
@pytest.mark.parametrize("name", LIMITS)
def test_resource(name: str, evidence: Evidence) -> None:
    """A limit of the kernel that ends programs is not set."""
    limit = LIMITS[name]
    found = soft_limit(limit.number)
    evidence.fact(name, found)
    if found == UNLIMITED or (limit.least != UNLIMITED and int(found) >= int(limit.least)):
        return
    fail(
        f"there is a limit on {limit.what}: {limit.harm}",
        expected="no limit" if limit.least == UNLIMITED else f"at least {limit.least:,} bytes",
        found=f"{int(found):,}" + (" seconds" if name == "cpu_time" else " bytes"),
        cause=f"`ulimit {limit.option}` in a profile, a service file or the container's options",
    )


@check(catches=("F42",), fix="start the container with --ulimit memlock=-1")
def test_locked_memory(evidence: Evidence) -> None:
    """1 MiB of memory can be locked, and without limit where there is InfiniBand."""
    found = soft_limit(resource.RLIMIT_MEMLOCK)
    adapters = sorted(path.name for path in _INFINIBAND.glob("*"))
    evidence.fact("memlock", found)
    evidence.fact("infiniband", adapters)
    try:
        lock(_LOCKED_BYTES)
    except OSError as error:
        fail(
            f"memory can't be locked: {error.strerror}",
            expected=f"{_LOCKED_BYTES >> 10} KiB locked",
            found=f"a limit of {found} bytes",
            cause="the container runtime's default of 64 KiB",
        )
    if adapters and found != UNLIMITED:
        fail(
            f"locked memory is limited on a machine with InfiniBand ({', '.join(adapters)})",
            expected="no limit: InfiniBand locks the memory that it sends from",
            found=f"{found} bytes",
        )


@check(catches=("F42",), fix="start the container with --ulimit memlock=-1")
def test_pinned_memory(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """64 MiB of host memory can be pinned, and copied to the GPU and back unharmed."""
    evidence.fact("memlock", soft_limit(resource.RLIMIT_MEMLOCK))
    absence = gpu_absence()
    if absence is not None or device.type != "cuda":
        not_applicable(
            f"{device} takes no pinned memory" if absence is None else absence.summary,
            needs="cuda",
            fix="gnnbench run --device cuda" if absence is None else absence.fix,
        )
    value_of(
        probing.start("limits/pinned_memory", str(device)).wait(), f"pinned memory for {device}", evidence
    )


@check(catches=("F43",), fix="raise /dev/shm, the number of open files and of processes")
def test_workers(probing: Probing, evidence: Evidence) -> None:
    """A DataLoader with two worker processes delivers every sample once, through shared memory."""
    value_of(probing.start("limits/workers").wait(), "a DataLoader with two workers", evidence)


@check(
    catches=("F43",),
    fix="as for limits/workers; where that one is green, install pyg-lib or torch-sparse again",
)
def test_neighbor_loader(probing: Probing, evidence: Evidence) -> None:
    """PyG's NeighborLoader with two workers samples every node once, and no edge that is not there."""
    if not {"pyg_lib", "torch_sparse"}.intersection(installed_extensions()):
        not_applicable(
            "NeighborLoader samples with pyg-lib or torch-sparse, and neither is installed",
            needs="package:pyg_lib",
            fix="pip install pyg_lib, from the wheels that PyG builds for this torch and this CUDA",
        )
    value_of(probing.start("limits/neighbor_loader").wait(), "a NeighborLoader with two workers", evidence)


@check(
    fix="raise the number of processes: `ulimit -u`, `--pids-limit` of the container; or the address space, `ulimit -v`"
)
def test_threads(probing: Probing, evidence: Evidence) -> None:
    """As many threads as torch and the workers of a loader start can be alive at once."""
    value_of(probing.start("limits/threads").wait(), "starting threads", evidence)


@check(
    fix="set TMPDIR, TORCHINDUCTOR_CACHE_DIR and TRITON_CACHE_DIR to a folder that can be written to, and mount it "
    "without noexec"
)
def test_scratch(evidence: Evidence) -> None:
    """There is a folder for temporary files, and code that is compiled into it may be run."""
    try:
        evidence.fact("folder", scratch())
    except OSError as error:
        fail(
            "kernels that are compiled at run time have no place",
            expected="a folder for temporary files that can be written to and mapped as code",
            found=str(error),
            cause="the file system is full"
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "a read-only file system without a tmpfs, or one that is mounted noexec",
        )
