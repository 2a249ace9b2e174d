"""F07b: merging duplicates keeps one instead of adding them."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A coalesce that lets the last duplicate overwrite the others."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten._coalesce.default:  # noqa: SLF001 - an operator's name
            return result
        places, values = arguments[0]._indices(), arguments[0]._values()  # noqa: SLF001 - not coalesced yet
        dense = torch.zeros(result.shape, dtype=values.dtype, device=values.device)
        for index in range(places.shape[1]):
            dense[tuple(places[:, index])] = values[index]
        kept = dense[tuple(result.indices())]
        return torch.sparse_coo_tensor(
            result.indices(), kept, result.shape, is_coalesced=True, check_invariants=False
        )

    plant_dispatch(alter)


FAULT = Fault(
    id="F07b",
    title="Merging duplicates keeps one instead of adding them up",
    symptom="is_coalesced=True on duplicate indices is silently incorrect: the last one wins",
    sources=("pytorch/pytorch#107638",),
    areas=("EQ",),
    caught_by=("equivalence/primitives/conversions",),
    keyword="primitives",
    plant=plant,
)
