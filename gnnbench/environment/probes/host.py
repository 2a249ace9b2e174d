"""Host memory as training uses it: shared, pinned, and filled by workers of a loader."""

from __future__ import annotations

from typing import Any

from gnnbench.environment.shared_memory import reserve

#: Seconds after which a loader gives up on its workers.
_WORKERS_S = 45


def shared_memory(size: int) -> dict[str, Any]:
    """Reserve, write and read back `size` bytes of /dev/shm; a SIGBUS ends the probe and nobody else."""
    reserve(size)
    return {"device": "cpu", "bytes": size}


def pinned(device_name: str, size: int) -> dict[str, Any]:
    """Pin `size` bytes, and copy them to a GPU and back without waiting in between."""
    import torch

    device = torch.device(device_name)
    tensor = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    if not tensor.is_pinned():
        raise MemoryError("pinned memory was asked for and a pageable tensor was given")
    tensor.copy_(torch.arange(size, dtype=torch.int64).remainder_(251).to(torch.uint8))
    back = torch.zeros(size, dtype=torch.uint8, pin_memory=True)
    back.copy_(tensor.to(device, non_blocking=True), non_blocking=True)
    torch.cuda.synchronize(device)
    wrong = int((back != tensor).sum())
    if wrong:
        raise ArithmeticError(f"{wrong} of {size} bytes changed on the way to {device} and back")
    return {"device": str(device), "bytes": size}


def workers(count: int) -> dict[str, Any]:
    """A DataLoader with `count` workers delivers every sample once, and unharmed, through shared memory."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    # Large enough that a batch goes through shared memory and not through the pipe.
    samples = torch.arange(64).repeat_interleave(4096).reshape(64, 4096)
    seen: list[int] = []
    for (batch,) in DataLoader(TensorDataset(samples), batch_size=8, num_workers=count, timeout=_WORKERS_S):
        if not torch.equal(batch, batch[:, :1].expand_as(batch)):
            raise ArithmeticError("a batch is not what its worker was given")
        seen.extend(batch[:, 0].tolist())
    if sorted(seen) != list(range(64)):
        raise ArithmeticError(f"expected samples 0 to 63, once each, found {sorted(seen)}")
    return {"device": "cpu", "workers": count}


def neighbors(count: int) -> dict[str, Any]:
    """PyG's NeighborLoader with `count` workers: every seed once, and no edge that the graph has not.

    Raises `ImportError` where PyG has neither pyg-lib nor torch-sparse to sample with.
    """
    import torch
    from torch_geometric.data import Data
    from torch_geometric.loader import NeighborLoader

    generator = torch.Generator().manual_seed(3)
    nodes = 120
    edges = torch.randint(nodes, (2, 900), generator=generator)
    graph = Data(x=torch.arange(nodes).float().unsqueeze(1), edge_index=edges, num_nodes=nodes)
    known = set(map(tuple, edges.T.tolist()))
    loader = NeighborLoader(graph, num_neighbors=[4, 3], batch_size=16, num_workers=count, timeout=_WORKERS_S)
    seen: list[int] = []
    for batch in loader:
        if not torch.equal(batch.x.flatten().long(), batch.n_id):
            raise ArithmeticError("features of sampled nodes are those of other nodes")
        sampled = set(map(tuple, batch.n_id[batch.edge_index].T.tolist()))
        if not sampled <= known:
            raise ArithmeticError(f"{len(sampled - known)} sampled edges are not in the graph")
        seen.extend(batch.n_id[: batch.batch_size].tolist())
    if sorted(seen) != list(range(nodes)):
        raise ArithmeticError(f"expected each of {nodes} nodes once as a seed, found {len(seen)} seeds")
    return {"device": "cpu", "workers": count, "batches": len(loader)}


def threads() -> dict[str, Any]:
    """As many threads as torch and two workers of a loader may start, all alive at once."""
    import threading

    import torch

    wanted = 4 * max(torch.get_num_threads(), torch.get_num_interop_threads()) + 16
    done = threading.Event()
    alive: list[threading.Thread] = []
    try:
        for _ in range(wanted):
            thread = threading.Thread(target=done.wait)
            thread.start()
            alive.append(thread)
    except RuntimeError as error:
        raise OSError(f"only {len(alive)} of {wanted} threads could be started: {error}") from None
    finally:
        done.set()
        for thread in alive:
            thread.join()
    return {"device": "cpu", "threads": wanted}
