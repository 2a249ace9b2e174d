"""F23b: merging duplicates has no derivative."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """The masking that a sparse backward pass needs, which raises."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten.sparse_mask.default:
            return result
        raise NotImplementedError("derivative for aten::_coalesced_ is not implemented")

    plant_dispatch(alter)


FAULT = Fault(
    id="F23b",
    title="Merging duplicates has no derivative",
    symptom="derivative for aten::_coalesced_ is not implemented, in the middle of a training",
    sources=("pyg-team/pytorch_geometric#9613",),
    areas=("GRAD",),
    caught_by=(
        "equivalence/primitives/coalesce_gradient",
        "equivalence/primitives/sparse_by_sparse",
    ),
    keyword="primitives",
    plant=plant,
)
