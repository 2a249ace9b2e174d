"""F20a: messages are normalised by the target's degree alone."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer on D⁻¹A."""
    from gnnbench.faults.mutant import Mutant, register, symmetric

    def one_sided(s: Any, t: Any, w: Any, degree: Any) -> Any:
        return w / degree[t]

    register(Mutant(normalise=one_sided if broken else symmetric))


FAULT = Fault(
    id="F20a",
    title="Messages are normalised by the target's degree alone",
    symptom="D⁻¹A was computed in place of D^-1/2 A D^-1/2",
    sources=("pyg-team/pytorch_geometric#1104",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
