"""Sizes of the throughput checks, by device and tier."""

from __future__ import annotations

import torch

from gnnbench.checks import Tier, inconclusive
from gnnbench.memory import Workload, available_host_bytes
from gnnbench.memory.estimate import estimate

#: Nodes; edges are ten times as many. On a GPU the features must be far larger than its L2 cache (50 MB on an
#: H100), or cache bandwidth is measured: 64 float32 a node make 256 MB of a million.
_NODES = {
    "cpu": {Tier.SMOKE: 10_000, Tier.STANDARD: 100_000, Tier.FULL: 100_000, Tier.SOAK: 1_000_000},
    "cuda": {Tier.SMOKE: 1_000_000, Tier.STANDARD: 2_000_000, Tier.FULL: 10_000_000, Tier.SOAK: 10_000_000},
}

ROUNDS = {Tier.SMOKE: 5, Tier.STANDARD: 20, Tier.FULL: 50, Tier.SOAK: 200}


def workload(backend: str, device: torch.device, tier: Tier, *, hidden: int = 16) -> Workload:
    """The sizes for this device and tier; ends the check as inconclusive where they would not fit it."""
    nodes = _NODES[device.type][tier]
    found = Workload(backend=backend, num_nodes=nodes, num_edges=10 * nodes, num_hidden=hidden)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    else:
        free = available_host_bytes()
    need = estimate(found, device=str(device)).peak_bytes
    if need > free:
        inconclusive(
            f"{device} has too little free memory for the graph of this tier",
            expected=f"{need / 2**20:,.0f} MiB free",
            found=f"{free / 2**20:,.0f} MiB free",
            fix="end what else uses the device, or ask for a smaller tier",
        )
    return found
