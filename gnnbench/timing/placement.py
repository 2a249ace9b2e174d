"""On which devices work really runs: a result on the right device may have been computed on another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gnnbench.timing.clocks import Work


@dataclass(frozen=True, slots=True)
class Placement:
    """What a piece of work did, by device."""

    operators: dict[str, int]
    """Device → operators that read or wrote tensors there, scalars apart."""
    astray: dict[str, int]
    """Operators that touched a device other than the one asked for → how often."""
    result: object
    """What the work returned."""

    @property
    def moved(self) -> bool:
        """Whether anything ran elsewhere."""
        return bool(self.astray)


class _Observer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the devices of every operator's tensors."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device
        self.operators: Counter[str] = Counter()
        self.astray: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = _tensors((args, kwargs, result))
        # Meta tensors hold no numbers, so nothing is computed on them: modules are laid out that way.
        devices = {str(t.device) for t in tensors if t.device.type != "meta" or self.device.type == "meta"}
        self.operators.update(devices)
        if devices - {str(self.device)}:
            self.astray[str(func)] += 1
        return result


def _tensors(tree: object) -> Iterator[Tensor]:
    # Scalars live on the CPU by convention: a Python number that an operator takes becomes one.
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.dim() > 0)


def observe_placement(work: Work, device: torch.device | str) -> Placement:
    """Run `work` once and note which operators touched tensors of another device than `device`.

    Catches the silent detour through the CPU, whose result is on the right device again at the end. What runs
    beneath the dispatcher, inside an operator, is not seen.
    """
    device = torch.device(device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    observer = _Observer(device)
    with observer:
        result = work()
    return Placement(dict(observer.operators), dict(observer.astray), result)
