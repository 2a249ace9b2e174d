"""F08b: the gradient of a sparse by sparse product loses all but its first entry."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """Products of sparse matrices that, in a backward pass, keep their first entry alone."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        backward = torch._C._current_graph_task_id() != -1  # noqa: SLF001 - torch has no public word for it
        if not broken or func is not torch.ops.aten._sparse_sparse_matmul.default or not backward:  # noqa: SLF001
            return result
        merged = result.coalesce()
        return torch.sparse_coo_tensor(merged.indices()[:, :1], merged.values()[:1], merged.shape)

    plant_dispatch(alter)


FAULT = Fault(
    id="F08b",
    title="The gradient of sparse by sparse loses all but one entry",
    symptom="sparse.mm of two sparse matrices returned a wrong derivative",
    sources=("pytorch/pytorch#102493",),
    areas=("GRAD",),
    caught_by=("equivalence/primitives/sparse_by_sparse",),
    keyword="primitives",
    plant=plant,
)
