"""Sizes of the memory checks, by device and tier."""

from __future__ import annotations

import torch

from gnnbench.checks import Tier, inconclusive
from gnnbench.memory import BudgetError, Workload, require_host_budget

MIB = 1 << 20

#: MiB that a training step is given. The threshold moves with the budget and the search does not, so a small
#: one tells as much; on a GPU it must be far above what libraries allocate for themselves.
_BUDGETS = {
    "cpu": {Tier.SMOKE: 32, Tier.STANDARD: 128, Tier.FULL: 512, Tier.SOAK: 2048},
    "cuda": {Tier.SMOKE: 512, Tier.STANDARD: 2048, Tier.FULL: 8192, Tier.SOAK: 16384},
}

#: Edges a node: near the mean degree of ogbn-arxiv (13.8), Reddit's being 492 and Cora's 3.9.
_DEGREE = 10


def workload(backend: str, num_nodes: int) -> Workload:
    """The training step that is looked at."""
    return Workload(backend=backend, num_nodes=num_nodes, num_edges=_DEGREE * num_nodes)


def budget_bytes(device: torch.device, tier: Tier) -> int:
    """The budget in bytes; ends the check as inconclusive where this machine can't give it."""
    budget = _BUDGETS[device.type][tier] * MIB
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if budget > free:
            inconclusive(
                f"{device} has too little free memory to look for a threshold",
                expected=f"{budget // MIB} MiB free",
                found=f"{free // MIB} MiB free",
                fix="end what else uses the device (nvidia-smi), or ask for a smaller tier",
            )
        return budget
    try:
        # The graph itself comes on top; its size is bounded by the budget of the step that trains on it.
        return require_host_budget(2 * budget) // 2
    except BudgetError as error:
        inconclusive(
            "the machine has too little free memory to look for a threshold without danger to it",
            expected=f"{2 * budget // MIB} MiB to spare",
            found=str(error),
            fix="free memory, raise the container's limit, or ask for a smaller tier",
        )
