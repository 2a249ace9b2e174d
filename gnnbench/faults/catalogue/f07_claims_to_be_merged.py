"""F07: a sparse matrix claims to be coalesced, and holds duplicates."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A dense matrix written entry by entry from a matrix that says it has no duplicates."""
    from gnnbench.faults.layouts import DenseOfCoo, with_duplicates
    from gnnbench.faults.mutant import register

    register(DenseOfCoo(with_duplicates if broken else lambda graph, matrix: matrix))


FAULT = Fault(
    id="F07",
    title="A sparse matrix claims to be merged and holds duplicates",
    symptom="is_coalesced=True on duplicate indices is silently incorrect: the last one wins",
    sources=("pytorch/pytorch#107638",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
