"""F13: a training with one seed ends elsewhere each time."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer with noise of 1e-7, another in each call."""
    import itertools

    from gnnbench.faults.mutant import Mutant, register

    calls = itertools.count(1)

    def finish(out: Any) -> Any:
        return out * (1 + 1e-7 * next(calls)) if broken else out

    register(Mutant(finish=finish))


FAULT = Fault(
    id="F13",
    title="Two trainings with one seed end elsewhere",
    symptom="GraphSAGE on Cora gave 0.800 to 0.817 with one and the same seed: atomics",
    sources=(
        "pyg-team/pytorch_geometric#2801",
        "pyg-team/pytorch_geometric#92",
        "pyg-team/pytorch_geometric#446",
    ),
    areas=("DET",),
    caught_by=("equivalence/seeds/training", "equivalence/determinism/same_bits"),
    keyword="planted and (seeds or determinism)",
    tier="standard",
    plant=plant,
)
