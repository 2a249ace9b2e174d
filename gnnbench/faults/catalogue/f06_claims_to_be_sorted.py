"""F06: a sparse matrix claims to be coalesced, and its entries stand in any order."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """CSR made from a shuffled matrix that says it is sorted."""
    from gnnbench.faults.layouts import CsrOfCoo, shuffled
    from gnnbench.faults.mutant import register

    register(CsrOfCoo(shuffled if broken else lambda matrix: matrix))


FAULT = Fault(
    id="F06",
    title="A sparse matrix claims to be sorted and is not",
    symptom="CSC to COO gave a tensor with is_coalesced() true and unsorted indices",
    sources=("pytorch/pytorch#91010",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/bounded/layer"),
    plant=plant,
)
