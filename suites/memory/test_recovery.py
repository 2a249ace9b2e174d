"""Life after the storm: what memory is like once it ran out, and after many steps."""

from __future__ import annotations

import pytest
import torch

from gnnbench.checks import Evidence, Tier, check, fail, inconclusive, tier
from gnnbench.memory import TrialServer
from gnnbench.memory.estimate import largest_nodes
from gnnbench.reference import backend

from .sizing import MIB, budget_bytes, workload

#: csr runs out while it sorts the edges, index_add while gradients are on their way.
_BACKENDS = ["csr", pytest.param("index_add", marks=tier("standard"))]

#: Times the largest size that is predicted to fit: surely too large.
_TOO_LARGE = 2

#: Share of the largest size that must fit again afterwards. What is lost for good must be below the rest.
_AGAIN = 0.75

_STEPS = 6

#: A vector of one float32 a node is larger than a page-granular heap can hide: it is mapped on its own.
_NODES = 20_000


@check(
    catches=("F51", "F52"),
    fix="see what still refers to tensors after the error: exceptions that were kept, hooks, caches",
)
@pytest.mark.parametrize("name", _BACKENDS)
def test_trains_again_after_running_out(
    name: str, device: torch.device, evidence: Evidence, run_tier: Tier, trials: TrialServer
) -> None:
    """After running out of memory the same process trains a graph of nearly the largest size."""
    budget = budget_bytes(device, run_tier)
    predicted = largest_nodes(workload(name, 1000), budget, device=str(device))
    again = int(_AGAIN * predicted)
    outcome = trials.run(
        workload(name, _TOO_LARGE * predicted),
        backend(name),
        device=str(device),
        budget_bytes=budget,
        recover_nodes=again,
    )
    recovery = outcome.recovery
    evidence.fact("failure", outcome.describe())
    evidence.fact("left_bytes", outcome.left_bytes)
    evidence.fact("recovery", None if recovery is None else recovery.describe())
    if outcome.survived:
        inconclusive(
            f"{name}: a graph of {_TOO_LARGE} times the predicted size survived, so there "
            "is nothing to recover from",
            expected=f"out of memory beyond {predicted:,} nodes",
            found=outcome.describe(),
        )
    if not outcome.end.out_of_memory:
        fail(
            f"{name}: a graph far too large for {budget // MIB} MiB ended as: {outcome.end.value}",
            expected="out of memory",
            found=outcome.describe(),
            cause="an error path of torch or of a library that can't cope with a refused allocation",
        )
    if recovery is None or not recovery.survived:
        fail(
            f"{name}: after running out of memory, the same process can't train what fitted before",
            expected=f"{again:,} nodes to fit {budget // MIB} MiB again",
            found="no second try" if recovery is None else recovery.describe(),
            cause=f"{(outcome.left_bytes or 0) / MIB:.1f} MiB were still in use after the error was dropped",
        )


@check(
    catches=("F11",),
    fix="repeat the step under torch.cuda.memory._record_memory_history, or with fewer layers",
)
@pytest.mark.parametrize("name", _BACKENDS)
def test_no_growth(name: str, device: torch.device, evidence: Evidence, trials: TrialServer) -> None:
    """Repeated training steps leave no more memory in use than the first did."""
    one = workload(name, _NODES)
    outcome = trials.run(one, backend(name), device=str(device), budget_bytes=512 * MIB, steps=_STEPS)
    evidence.fact("live_bytes", list(outcome.live_bytes))
    if not outcome.survived:
        fail(f"{name}: {_STEPS} training steps did not get to their end", found=outcome.describe())
    growth = outcome.live_bytes[-1] - outcome.live_bytes[0]
    # The least that a step can leave behind and still be a step's: one number a node.
    least = (_STEPS - 1) * one.num_nodes * one.item_bytes
    evidence.margin(
        "growth", error=max(0, growth), bound=least - 1, rule="less than one number a node and step"
    )
    if growth >= least:
        fail(
            f"{name}: every training step leaves memory behind",
            expected=f"less than {least / MIB:.2f} MiB after {_STEPS} steps, one number a node and step",
            found=f"{growth / MIB:.2f} MiB: {growth / (_STEPS - 1) / one.num_nodes:.1f} bytes a "
            "node and step",
            cause="tensors kept in a list, a cache, a closure or a reference cycle",
        )
