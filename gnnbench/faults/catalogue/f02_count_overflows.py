"""F02: the number of entries overflows."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A count of entries kept in 8 bits: the fault of 2^31, scaled down."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten._nnz.default:  # noqa: SLF001 - an operator's name
            return result
        return (int(result) + 128) % 256 - 128

    plant_dispatch(alter)


FAULT = Fault(
    id="F02",
    title="The number of entries overflows and is negative",
    symptom="_nnz() was negative from 2^31 entries on, for it was kept in an int",
    sources=(
        "pytorch/pytorch#102520",
        "pytorch/pytorch#102523",
    ),
    areas=("EQ",),
    caught_by=("equivalence/primitives/conversions",),
    keyword="primitives",
    plant=plant,
)
