"""F21: the first graph's normalisation answers for the next."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer that keeps the first matrix of each size."""
    from gnnbench.faults.layouts import CachedBySize
    from gnnbench.faults.mutant import Mutant, register

    register(CachedBySize() if broken else Mutant())


FAULT = Fault(
    id="F21",
    title="The normalisation of another graph answers",
    symptom="GCNConv(cached=True) kept the first graph's norm, whatever graph came next",
    sources=("pyg-team/pytorch_geometric#878",),
    areas=("EQ",),
    caught_by=("equivalence/state/second_graph",),
    plant=plant,
)
