"""F42: the container may lock no more than 64 KiB of memory."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """The limit itself, and a user namespace, in which root has no right to lock more than others may."""
    import resource

    from gnnbench.faults.namespaces import own_user

    limit = 64 << 10 if broken else 4 << 20
    resource.setrlimit(
        resource.RLIMIT_MEMLOCK, (limit, max(limit, resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]))
    )
    # Where it is refused, whoever runs this is most often no root, and the limit holds without it.
    own_user()


FAULT = Fault(
    id="F42",
    title="No memory can be locked",
    symptom="Pinned memory and InfiniBand fail with `Cannot allocate memory` in a container with Docker's old default",
    sources=("NVIDIA/nvidia-container-toolkit#226",),
    areas=("MEM", "ENV"),
    caught_by=("environment/limits/locked_memory",),
    says=("memory can't be locked", "a limit of 65536 bytes", "--ulimit memlock=-1"),
    keyword="locked_memory",
    plant=plant,
)
