"""How much memory the process that runs a trial uses, and what holds it to its budget."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from typing import Protocol

import torch

from gnnbench.memory.budget import BudgetError, address_space, heap_trimmer, limit_address_space


class Gauge(Protocol):
    """Bytes above what was in use when the gauge was made."""

    kind: str
    """What is counted and limited."""

    def peak(self) -> int:
        """The most in use at once."""
        ...

    def live(self) -> int:
        """What is in use now, once all that can be freed has been."""
        ...

    def release(self) -> None:
        """Lift the budget."""
        ...


class HostGauge:
    """The address space of this process, which must have been forked for one trial alone.

    Its high-water mark can't be reset, and a fork starts it anew. Address space is exact to the page and
    repeats from run to run, where resident pages depend on what the page cache held.
    """

    kind = "address space"

    def __init__(self, budget: int | None) -> None:
        self._trim: Callable[[], None] = heap_trimmer()
        gc.collect()
        self._trim()
        self._before = address_space()[0] if budget is None else limit_address_space(budget)

    def peak(self) -> int:
        """VmPeak, less what was mapped before."""
        return address_space()[1] - self._before

    def live(self) -> int:
        """VmSize, less what was mapped before; collects garbage and trims the heap first."""
        gc.collect()
        self._trim()
        return address_space()[0] - self._before

    def release(self) -> None:
        """Lift the soft limit."""
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


class CudaGauge:
    """Torch's caching allocator on one GPU, limited by its share of the device's memory.

    The CUDA context and what libraries allocate beside the allocator are not counted.
    """

    kind = "allocator fraction"

    def __init__(self, budget: int | None, device: torch.device) -> None:
        self._device = device
        self._collect()
        self._before = torch.cuda.memory_allocated(device)
        free, total = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device)
        if budget is not None:
            if budget > free:
                raise BudgetError(
                    f"expected a budget of at most the {free / 2**20:,.0f} MiB that are "
                    f"free on {device}, found "
                    f"{budget / 2**20:,.0f} MiB: ask for less, or free the device"
                )
            torch.cuda.set_per_process_memory_fraction(min(1.0, (held + budget) / total), device)
        torch.cuda.reset_peak_memory_stats(device)

    def _collect(self) -> None:
        gc.collect()
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()

    def peak(self) -> int:
        """max_memory_allocated, less what was allocated before."""
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_allocated(self._device) - self._before

    def live(self) -> int:
        """memory_allocated, less what was allocated before; collects garbage and empties the cache first."""
        self._collect()
        return torch.cuda.memory_allocated(self._device) - self._before

    def release(self) -> None:
        """Give the allocator the whole device again."""
        torch.cuda.set_per_process_memory_fraction(1.0, self._device)


def gauge_for(device: torch.device, budget: int | None) -> Gauge:
    """The gauge of `device`, with `budget` in force.

    Raises:
        BudgetError: the budget can't be given.
        ValueError: nobody counts memory on such a device.
    """
    if device.type == "cpu":
        return HostGauge(budget)
    if device.type == "cuda":
        return CudaGauge(budget, device)
    raise ValueError(f"expected a device cpu or cuda, found {str(device)!r}: its memory can't be limited")
