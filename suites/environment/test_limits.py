"""What the container grants: shared memory, locked memory, files, worker processes."""

from __future__ import annotations

import resource
from pathlib import Path

import torch

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.environment import gpu_absence
from gnnbench.environment.limits import UNLIMITED, shm_size, soft_limit
from gnnbench.environment.shared_memory import lock, reserve

#: Two DataLoader workers that each have two batches of 64 MiB on the way; Docker's default is 64 MB in all.
_SHM_BYTES = 256 * 2**20
_PINNED_BYTES = 64 * 2**20
#: The least that is worth locking; older Docker allows 64 KiB.
_LOCKED_BYTES = 2**20
#: Linux' own default for a process.
_OPEN_FILES = 1024
_INFINIBAND = Path("/sys/class/infiniband")


@check(catches=("F43",), fix="start the container with --shm-size=1g or --ipc=host")
def test_shared_memory(evidence: Evidence) -> None:
    """256 MiB of /dev/shm can be reserved and written, as DataLoader workers and NCCL do."""
    evidence.fact("shm_bytes", shm_size())
    try:
        reserve(_SHM_BYTES)
    except OSError as error:
        fail(
            "shared memory is too small",
            expected=f"{_SHM_BYTES >> 20} MiB of /dev/shm to write to",
            found=f"{error.strerror}; it has {shm_size() >> 20} MiB",
            cause="the container runtime's default of 64 MB",
        )


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
def test_pinned_memory(evidence: Evidence) -> None:
    """64 MiB of host memory can be pinned for copies to the GPU."""
    evidence.fact("memlock", soft_limit(resource.RLIMIT_MEMLOCK))
    absence = gpu_absence()
    if absence is not None:
        not_applicable(absence.summary, needs="cuda", fix=absence.fix)
    tensor = torch.empty(_PINNED_BYTES, dtype=torch.uint8, pin_memory=True)
    if not tensor.is_pinned():
        fail("pinned memory was asked for and not given", expected="a pinned tensor", found="a pageable one")


@check(tier="standard", catches=("F43",), fix="raise /dev/shm and the number of open files")
def test_workers() -> None:
    """A DataLoader with two worker processes delivers every sample once."""
    data = torch.utils.data.TensorDataset(torch.arange(64))
    loader = torch.utils.data.DataLoader(data, batch_size=8, num_workers=2, timeout=60)
    seen = sorted(int(number) for (batch,) in loader for number in batch)
    if seen != list(range(64)):
        fail("a DataLoader lost or doubled samples", expected="0 to 63, once each", found=str(seen))
