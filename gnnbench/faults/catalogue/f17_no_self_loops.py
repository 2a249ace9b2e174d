"""F17: self-loops are silently absent."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer that never adds loops."""
    from gnnbench.faults.mutant import Mutant, register

    register(Mutant(loops="none" if broken else "add"))


FAULT = Fault(
    id="F17",
    title="Self-loops are silently absent",
    symptom="GCNConv(normalize=False) added no self-loops, and said nothing",
    sources=("pyg-team/pytorch_geometric#6251", "pyg-team/pytorch_geometric#8210"),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
