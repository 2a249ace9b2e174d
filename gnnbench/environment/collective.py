"""A collective of one process: what every distributed training begins with, without a network."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gnnbench.environment.libraries import mapped_libraries
from gnnbench.environment.torch_build import nccl_version

_ELEMENTS = 1024
_TIMEOUT = timedelta(seconds=30)


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
        "backend": backend,
        "version": nccl_version(torch) if backend == "nccl" else None,
        "libraries": [library.path for library in mapped_libraries() if library.family == "libnccl"],
    }
