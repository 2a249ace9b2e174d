"""F18: nodes that have a loop get no second one, where A + I was asked for."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer that adds remaining self-loops only, whatever was asked for."""
    from gnnbench.faults.mutant import Mutant, register

    register(Mutant(loops="add_remaining" if broken else "add"))


FAULT = Fault(
    id="F18",
    title="Nodes with a self-loop of their own get no second one",
    symptom="GCNConv has three answers on graphs with self-loops, one for each form of the adjacency matrix",
    sources=("pyg-team/pytorch_geometric#129", "pyg-team/pytorch_geometric#2288"),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
