"""F01b: the factor beta of a fused product is ignored."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """Sparse addmm beneath torch that takes every beta but 0 for 1."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten._sparse_addmm.default:  # noqa: SLF001 - an operator's name
            return result
        beta = named.get("beta", 1)
        return result if beta == 0 else result + (1 - beta) * arguments[0]

    plant_dispatch(alter)


FAULT = Fault(
    id="F01b",
    title="The factor beta of a fused sparse product is ignored",
    symptom="sparse.addmm was wrong on CUDA for every beta but 0 and 1",
    sources=("pytorch/pytorch#55917",),
    areas=("EQ",),
    caught_by=("equivalence/primitives/sparse_addmm",),
    keyword="primitives",
    plant=plant,
)
