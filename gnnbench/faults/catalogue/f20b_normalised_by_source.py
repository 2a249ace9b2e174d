"""F20b: messages are normalised by the source's degree alone."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer on AD⁻¹."""
    from gnnbench.faults.mutant import Mutant, register, symmetric

    def one_sided(s: Any, t: Any, w: Any, degree: Any) -> Any:
        return w / degree[s]

    register(Mutant(normalise=one_sided if broken else symmetric))


FAULT = Fault(
    id="F20b",
    title="Messages are normalised by the source's degree alone",
    symptom="AD⁻¹ was computed in place of D^-1/2 A D^-1/2",
    sources=("pyg-team/pytorch_geometric#1104",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
