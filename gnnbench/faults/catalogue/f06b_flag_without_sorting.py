"""F06b: a conversion sets the flag of sorted entries without sorting."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """CSC to COO whose entries stand in any order, and which claims that they are sorted."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch
    from gnnbench.faults.layouts import shuffled

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten._to_sparse.default:  # noqa: SLF001 - an operator's name
            return result
        return shuffled(result) if arguments[0].layout == torch.sparse_csc else result

    plant_dispatch(alter)


FAULT = Fault(
    id="F06b",
    title="A conversion claims to have sorted and has not",
    symptom="CSC to COO gave a tensor with is_coalesced() true and unsorted indices",
    sources=("pytorch/pytorch#91010",),
    areas=("EQ",),
    caught_by=("equivalence/primitives/conversions",),
    keyword="primitives",
    plant=plant,
)
