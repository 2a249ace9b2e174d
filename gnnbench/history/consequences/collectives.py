"""What follows from other ways of NCCL: its transports, and the variables that rule it."""

from __future__ import annotations

from gnnbench.history.conditions import changed, has, lost_entry, reads
from gnnbench.history.consequence import Consequence, Weight
from gnnbench.history.consequences.variables import ON, variable

_NCCL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html"

COLLECTIVES = (
    Consequence(
        "nccl.transport",
        Weight.SPEED,
        lost_entry,
        "NCCL does without a transport: between GPUs without P2P through host memory, between machines without "
        "InfiniBand through sockets.",
        ("NVIDIA/nccl#451",),
    ),
    variable(
        "LD_LIBRARY_PATH",
        Weight.BREAKS,
        changed,
        "Libraries are looked for elsewhere first: a cuDNN, NCCL or libcuda found there takes the place of the one that "
        "torch brought.",
        "pytorch/pytorch#80637",
        "pytorch/pytorch#119932",
    ),
    variable(
        "NCCL_SOCKET_IFNAME",
        Weight.BREAKS,
        changed,
        "NCCL uses the network interfaces that are named, and hangs or stops where these don't reach the other machines.",
        _NCCL,
    ),
    *(
        variable(
            name,
            Weight.RESULTS,
            has,
            "NCCL no longer chooses by itself: sums over ranks are taken in another order, and may be slower or less safe.",
            _NCCL,
        )
        for name in ("NCCL_ALGO", "NCCL_PROTO")
    ),
    *(
        variable(
            name,
            Weight.SPEED,
            ON,
            "NCCL does without this transport and takes a slower one.",
            _NCCL,
        )
        for name in ("NCCL_P2P_DISABLE", "NCCL_SHM_DISABLE", "NCCL_IB_DISABLE")
    ),
    variable(
        "NCCL_P2P_LEVEL",
        Weight.SPEED,
        changed,
        "GPUs talk directly only up to another distance.",
        _NCCL,
    ),
    variable(
        "NCCL_DEBUG",
        Weight.SPEED,
        reads("info", "trace"),
        "NCCL writes a log. NVIDIA asks not to leave debugging variables set.",
        _NCCL,
    ),
    variable(
        "TORCH_NCCL_*",
        Weight.RESULTS,
        changed,
        "torch waits for collectives, and tells of those that hang, by another rule.",
        "https://docs.pytorch.org/docs/stable/torch_nccl_environment_variables.html",
    ),
)
