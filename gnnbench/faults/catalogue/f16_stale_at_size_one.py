"""F16: a scatter into a single row leaves it as it was."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer that gives zeros for graphs of one node."""
    from gnnbench.faults.mutant import Mutant, register

    register(Mutant(finish=lambda out: out * 0 if broken and out.shape[0] == 1 else _as_it_is(out)))


def _as_it_is(out: Any) -> Any:
    return out


FAULT = Fault(
    id="F16",
    title="A scatter into a single row leaves stale zeros",
    symptom="compiled scatter_add into one row, then a gather, read zeros; larger sizes were right",
    sources=("pytorch/pytorch#191571",),
    areas=("EQ",),
    caught_by=("equivalence/bounded/layer",),
    plant=plant,
)
