"""F19b: a sparse product takes the transposed matrix."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """CSR products beneath the real backends, of the matrix transposed."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten.mm.default:
            return result
        matrix, dense = arguments
        return matrix.to_dense().t() @ dense if matrix.layout == torch.sparse_csr else result

    plant_dispatch(alter)


FAULT = Fault(
    id="F19b",
    title="Sparse products take the transposed matrix",
    symptom="sparse inputs were taken for the transposed matrix; on undirected graphs nobody could see it",
    sources=(
        "pyg-team/pytorch_geometric#10042",
        "pyg-team/pytorch_geometric#2446",
    ),
    areas=(
        "EQ",
        "GRAD",
    ),
    caught_by=(
        "equivalence/exact/forward",
        "equivalence/exact/gradients",
        "equivalence/bounded/layer",
    ),
    keyword="csr and not compiled and not primitives",
    plant=plant,
)
