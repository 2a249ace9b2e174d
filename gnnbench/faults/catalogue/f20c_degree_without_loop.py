"""F20c: the degrees leave the self-loops out."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer whose degrees are one too small."""
    from gnnbench.faults.mutant import Mutant, register

    def degree(exact: Any) -> Any:
        return (exact - 1).clamp_min(0) if broken else exact

    register(Mutant(degree=degree))


FAULT = Fault(
    id="F20c",
    title="The degrees leave the self-loops out",
    symptom="the normalisation used the degrees of A, and the messages the loops of A + I",
    sources=("pyg-team/pytorch_geometric#1104",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
