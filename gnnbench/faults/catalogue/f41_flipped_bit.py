"""F41: one bit of one number is flipped."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer in whose result the lowest bit of one entry is turned over: the smallest error there is."""
    from gnnbench.faults.defects import flipped, one_entry
    from gnnbench.faults.mutant import Mutant, register

    def finish(out: Any) -> Any:
        return (
            one_entry(flipped(0), (out.shape[0] // 2, out.shape[1] - 1))(out)
            if broken and out.numel()
            else out
        )

    register(Mutant(finish=finish))


FAULT = Fault(
    id="F41",
    title="The lowest bit of one number is flipped",
    symptom="silent data corruption: a device that computes wrongly, once in a while, without an error",
    sources=("arXiv:2605.04213",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward",),
    plant=plant,
)
