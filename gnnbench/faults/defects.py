"""Ways to spoil one step of a `Mutant`, each small and often made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gnnbench.faults.mutant import Edges


def without(index: int) -> Callable[[Edges], Edges]:
    """Lose one entry."""

    def drop(edges: Edges) -> Edges:
        keep = torch.arange(len(edges[0]), device=edges[0].device) != index
        source, target, value = edges
        return source[keep], target[keep], value[keep]

    return drop


def twice(index: int) -> Callable[[Edges], Edges]:
    """Count one entry twice."""

    def double(edges: Edges) -> Edges:
        source, target, value = (torch.cat([part, part[index : index + 1]]) for part in edges)
        return source, target, value

    return double


def merged(source: Tensor, target: Tensor, weight: Tensor, n: int) -> Edges:
    """Of duplicate edges keep the last."""
    kept = {
        (int(s), int(t)): float(w)
        for s, t, w in zip(source.tolist(), target.tolist(), weight.tolist(), strict=True)
    }
    pairs = torch.tensor(list(kept), device=source.device)
    return pairs[:, 0], pairs[:, 1], torch.tensor(list(kept.values()), device=weight.device)


def rounded(bits: int) -> Callable[[Tensor], Tensor]:
    """To nearest with `bits` significant bits, by adding and cutting those of the float32, as a device does."""
    lost = 24 - bits

    def round_to(values: Tensor) -> Tensor:
        whole = values.detach().contiguous().view(torch.int32)
        return ((whole + (1 << (lost - 1))) & ~((1 << lost) - 1)).view(torch.float32)

    return round_to


def one_entry(change: Callable[[Tensor], Tensor], index: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """Spoil a single entry of the forward result, gradients untouched."""

    def spoil(out: Tensor) -> Tensor:
        wrong = out.detach().clone()
        wrong[index] = change(wrong[index])
        replaced: Tensor = Replaced.apply(out, wrong)  # type: ignore[no-untyped-call]
        return replaced

    return spoil


class Replaced(torch.autograd.Function):
    """Another result in place of the right one, with the gradient of the right one: `apply(out, other)`."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, other: Tensor) -> Tensor:
        """`other`."""
        return other.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradient as it came."""
        return gradients[0], None


def next_float(value: Tensor) -> Tensor:
    """One ulp up."""
    return torch.nextafter(value, torch.full_like(value, torch.inf))


def flipped(bit: int) -> Callable[[Tensor], Tensor]:
    """One bit of a float32 turned over, 0 the lowest of the fraction, 31 the sign."""
    mask = 1 << bit if bit < 31 else -(1 << 31)
    return lambda value: (value.view(torch.int32) ^ mask).view(torch.float32)
