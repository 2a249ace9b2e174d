"""F14b: the count behind a mean stops at 256."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """scatter_reduce by the mean, with counts of bfloat16."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten.scatter_reduce.two:
            return result
        if arguments[4] != "mean":
            return result
        ones = torch.ones_like(arguments[3])
        count = torch.zeros_like(result).scatter_add(arguments[1], arguments[2], ones).clamp_min(1)
        return result * count / count.clamp_max(256)

    plant_dispatch(alter)


FAULT = Fault(
    id="F14b",
    title="The count behind a mean stops at 256",
    symptom="the mean over a hub's neighbours was wrong in half precision",
    sources=("rusty1s/pytorch_scatter#269",),
    areas=(
        "AMP",
        "EQ",
    ),
    caught_by=("equivalence/primitives/scatter_mean",),
    keyword="primitives",
    plant=plant,
)
