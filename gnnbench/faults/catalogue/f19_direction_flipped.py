"""F19: messages flow from target to source."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer on the transposed matrix."""
    from gnnbench.faults.mutant import Mutant, register

    register(Mutant(edges=lambda s, t, w, n: (t, s, w) if broken else (s, t, w)))


FAULT = Fault(
    id="F19",
    title="Messages flow against the direction of the edges",
    symptom="sparse inputs were taken for the transposed matrix; on undirected graphs nobody could see it",
    sources=("pyg-team/pytorch_geometric#10042", "pyg-team/pytorch_geometric#2446"),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
