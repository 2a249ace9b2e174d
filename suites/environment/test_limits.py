"""What the container grants: shared memory, locked memory, files, worker processes."""

from __future__ import annotations

import resource

import torch

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.environment import gpu_absence
from gnnbench.environment.limits import shm_size, soft_limit
from gnnbench.environment.shared_memory import reserve

#: Two DataLoader workers that each have two batches of 64 MiB on the way; Docker's default is 64 MB in all.
_SHM_BYTES = 256 * 2**20
_PINNED_BYTES = 64 * 2**20


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
