"""F05: a kernel fails once with an illegal memory access."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer whose third call raises what CUDA raises; all others are right."""
    from gnnbench.faults.mutant import Mutant, register

    calls = []

    def finish(out: Any) -> Any:
        calls.append(1)
        if broken and len(calls) == 3:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return out

    register(Mutant(finish=finish))


FAULT = Fault(
    id="F05",
    title="A kernel fails once with an illegal memory access",
    symptom="a row-wise division after sparse.mm failed with an illegal memory access, and only sometimes",
    sources=("pytorch/pytorch#111574",),
    areas=("EQ",),
    # Where the third call of the suite is.
    caught_by=("equivalence/bounded/layer",),
    plant=plant,
)
