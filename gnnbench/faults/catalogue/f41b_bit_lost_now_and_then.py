"""F41b: a bit is flipped in one call of ten."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer in whose result a bit is flipped in every tenth call."""
    import itertools

    from gnnbench.faults.defects import flipped, one_entry
    from gnnbench.faults.mutant import Mutant, register

    calls = itertools.count(1)

    def finish(out: Any) -> Any:
        spoil = broken and next(calls) % 10 == 0 and out.numel() > 0
        return one_entry(flipped(12), (out.shape[0] // 2, 0))(out) if spoil else out

    register(Mutant(finish=finish))


FAULT = Fault(
    id="F41b",
    title="A bit is flipped in one call of ten",
    symptom="silent data corruption: a device that computes wrongly, once in a while, without an error",
    sources=("arXiv:2605.04213",),
    areas=("EQ", "DET"),
    caught_by=("equivalence/soak/repeated",),
    keyword="planted and soak",
    tier="standard",
    plant=plant,
)
