"""A collective: what every distributed training begins with, of one process or of several on this machine."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from gnnbench.environment.child import start
from gnnbench.environment.torch_build import nccl_version

_ELEMENTS = 1024
_TIMEOUT = timedelta(seconds=30)
#: NCCL hangs where it can't reach a peer; starting torch and CUDA in eight processes takes a while too.
_WORLD_S = 120.0


def backend_for(device_type: str) -> str:
    """NCCL on a GPU, Gloo on a CPU."""
    return "nccl" if device_type == "cuda" else "gloo"


def all_reduce(device_name: str) -> dict[str, Any]:
    """In a child: sum a vector over a world of one process on `cpu` or `cuda:N`.

    Raises what torch raises, and `ArithmeticError` where the sum over one is not the vector itself.
    """
    import torch
    from torch import distributed

    device = torch.device(device_name)
    backend = backend_for(device.type)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # A store in this process: no port, no file, no network.
    store = distributed.HashStore()  # type: ignore[attr-defined]  # not in its __all__
    distributed.init_process_group(backend, store=store, rank=0, world_size=1, timeout=_TIMEOUT)
    try:
        vector = torch.arange(_ELEMENTS, dtype=torch.float32, device=device)
        distributed.all_reduce(vector)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        wrong = int((vector.cpu() != torch.arange(_ELEMENTS, dtype=torch.float32)).sum())
    finally:
        distributed.destroy_process_group()
    if wrong:
        raise ArithmeticError(f"all_reduce over one process changed {wrong} of {_ELEMENTS} entries")
    return {
        "device": str(vector.device),
        "backend": backend,
        "version": nccl_version(torch) if backend == "nccl" else None,
    }


def all_ranks(world: int, device_type: str) -> dict[str, Any]:
    """Sum over `world` processes, one on each GPU or all on the CPU, and keep what they said.

    Returns:
        `log`: all that NCCL wrote under NCCL_DEBUG=INFO, whole; `peers`: `"0-1"` → whether the two GPUs can read each
        other's memory, as CUDA says; empty on a CPU.

    Raises:
        RuntimeError: where a rank did not end well; says which and how, and NCCL's last warning.
    """
    with tempfile.TemporaryDirectory(prefix="gnnbench-") as folder:
        ranks = [
            start(
                f"{__name__}:one_rank",
                *(rank, world, str(Path(folder) / "store"), device_type),
                timeout=_WORLD_S,
                environment={
                    "NCCL_DEBUG": "INFO",
                    # By the name of the subsystem a user may have chosen others. Of what is printed only the end is kept,
                    # and eight GPUs write a line for each of hundreds of channels.
                    "NCCL_DEBUG_SUBSYS": None,
                    "NCCL_DEBUG_FILE": str(Path(folder) / f"nccl-{rank}.log"),
                    **({} if device_type == "cuda" else {"GLOO_SOCKET_IFNAME": "lo"}),
                },
            )
            for rank in range(world)
        ]
        reports = [rank.wait() for rank in ranks]
        log = "\n".join(
            file.read_text("utf-8", "replace") for file in sorted(Path(folder).glob("nccl-*.log"))
        )
    for rank, report in enumerate(reports):
        if not report.ok:
            warned = [line for line in log.splitlines() if "NCCL WARN" in line]
            raise RuntimeError("; ".join([f"rank {rank} of {world}: {report.describe()}", *warned[-1:]]))
    return {"log": log, "peers": reports[0].value["peers"]}


def one_rank(rank: int, world: int, store: str, device_type: str) -> dict[str, Any]:
    """In a child: one rank's part of `all_ranks`."""
    import torch
    from torch import distributed

    device = torch.device("cuda", rank) if device_type == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        backend_for(device.type),
        store=distributed.FileStore(store, world),  # type: ignore[attr-defined]  # not in its __all__
        rank=rank,
        world_size=world,
        timeout=_TIMEOUT,
    )
    try:
        vector = torch.full((_ELEMENTS,), float(rank + 1), device=device)
        distributed.all_reduce(vector)
        wrong = int((vector.cpu() != world * (world + 1) / 2).sum())
    finally:
        distributed.destroy_process_group()
    if wrong:
        raise ArithmeticError(f"all_reduce over {world} processes has {wrong} of {_ELEMENTS} entries wrong")
    pairs = [(i, j) for i in range(world) for j in range(i + 1, world)] if device.type == "cuda" else []
    return {"peers": {f"{i}-{j}": torch.cuda.can_device_access_peer(i, j) for i, j in pairs}}
