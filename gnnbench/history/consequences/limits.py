"""What follows from other limits of kernel and container."""

from __future__ import annotations

from gnnbench.history.conditions import below, changed, lower, unless
from gnnbench.history.consequence import Consequence, Weight

_SHARING = "https://docs.pytorch.org/docs/stable/multiprocessing.html#sharing-strategies"
_GIB = float(1024**3)

LIMITS = (
    Consequence(
        "limits.shm_size",
        Weight.BREAKS,
        below(_GIB),
        'Less than 1 GiB of shared memory: NCCL stops with "No space left on device", and workers of a DataLoader die of '
        "SIGBUS. `docker run --shm-size 1g`.",
        ("NVIDIA/nccl#290", "NVIDIA/nccl#342"),
    ),
    Consequence(
        "limits.shm_size",
        Weight.RESULTS,
        unless(lower, below(_GIB)),
        "Less shared memory: fewer or smaller batches of a DataLoader fit.",
        ("NVIDIA/nccl#342",),
    ),
    Consequence(
        "limits.memlock",
        Weight.BREAKS,
        lower,
        "Less memory may be locked: InfiniBand can't register its buffers, and pinned memory may fail. "
        "`docker run --ulimit memlock=-1`.",
        ("NVIDIA/nccl-tests#206", "NVIDIA/nvidia-container-toolkit#226"),
    ),
    Consequence(
        "limits.cgroup_memory",
        Weight.BREAKS,
        lower,
        "The control group allows less memory: beyond it the kernel kills a process, and that is all one sees.",
        ("https://docs.kernel.org/admin-guide/cgroup-v2.html#memory",),
    ),
    Consequence(
        "limits.address_space",
        Weight.BREAKS,
        lower,
        'Address space is limited: CUDA reserves ranges far larger than the memory it uses, and reports "out of memory".',
        ("NVIDIA/cuda-python#2458",),
    ),
    Consequence(
        "limits.nofile",
        Weight.BREAKS,
        lower,
        'Fewer open files: workers of a DataLoader hold one for each tensor that they pass on, and end with "Too many open '
        'files" or "received 0 items of ancdata".',
        ("pytorch/pytorch#973", _SHARING),
    ),
    Consequence(
        "limits.processes",
        Weight.BREAKS,
        lower,
        'Fewer processes and threads: OpenBLAS and others end with "pthread_create failed".',
        ("willsheffler/worms#2",),
    ),
    Consequence(
        "hardware.memory",
        Weight.RESULTS,
        lower,
        "The machine has less memory: larger data sets and caches don't fit.",
        ("https://docs.kernel.org/admin-guide/cgroup-v2.html#memory",),
    ),
    Consequence(
        "limits.cgroup_cpus",
        Weight.SPEED,
        lower,
        "The control group gives less CPU time. Thread pools are sized by the machine's CPUs all the same, and are held up.",
        ("Unity-Technologies/ml-agents#4471",),
    ),
    Consequence(
        "hardware.usable_cpus",
        Weight.SPEED,
        lower,
        "Fewer CPUs: data loading and kernels on the CPU take longer.",
        ("https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html",),
    ),
    Consequence(
        "torch.threads",
        Weight.RESULTS,
        changed,
        "Sums on the CPU are split among another number of threads: other low bits, another speed.",
        ("https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html",),
    ),
)
