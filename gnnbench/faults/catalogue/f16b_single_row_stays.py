"""F16b: a scatter into a single row does nothing."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """scatter_add that leaves a single row as it was."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten.scatter_add.default:
            return result
        return arguments[0].clone() if result.shape[0] == 1 else result

    plant_dispatch(alter)


FAULT = Fault(
    id="F16b",
    title="A scatter into a single row does nothing",
    symptom="compiled scatter_add into one row, then a gather, read zeros; larger sizes were right",
    sources=("pytorch/pytorch#191571",),
    areas=("EQ",),
    caught_by=("equivalence/primitives/scatter",),
    keyword="primitives",
    plant=plant,
)
