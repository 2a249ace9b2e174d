"""F14: a sum of ones stops at 256."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer whose degrees are summed in bfloat16, where 256 + 1 is 256."""
    from gnnbench.faults.mutant import Mutant, register

    def degree(exact: Any) -> Any:
        return exact.clamp_max(256) if broken else exact

    register(Mutant(degree=degree))


FAULT = Fault(
    id="F14",
    title="Degrees summed in 16 bits stop growing at 256",
    symptom="the mean over a hub's neighbours was wrong in half precision",
    sources=("rusty1s/pytorch_scatter#269", "pytorch/executorch#20090"),
    areas=("AMP", "EQ"),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
