"""F01: the bias of a fused product is scaled wrongly."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer that adds half the bias."""
    from gnnbench.faults.mutant import Mutant, register

    register(Mutant(bias=lambda bias: 0.5 * bias if broken else bias))


FAULT = Fault(
    id="F01",
    title="The bias of a fused sparse product is scaled wrongly",
    symptom="sparse.addmm was wrong on CUDA for every beta but 0 and 1",
    sources=("pytorch/pytorch#55917",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
