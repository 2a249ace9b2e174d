"""The largest graph that one training step survives within a budget."""

from __future__ import annotations

import math

import pytest
import torch

from gnnbench.checks import Evidence, Tier, check, fail, inconclusive, not_applicable, tier
from gnnbench.memory import Bracket, TrialEnd, TrialOutcome, TrialServer, find_largest
from gnnbench.memory.estimate import estimate, largest_nodes, linear_bound
from gnnbench.reference import backend

from .sizing import MIB, budget_bytes, workload

#: Width of the bracket that the search stops at.
_RESOLUTION = {Tier.SMOKE: 0.05, Tier.STANDARD: 0.02, Tier.FULL: 0.01, Tier.SOAK: 0.01}

#: The first size lies 5 % below the prediction, and the second as much above. Not quite: were they, the third
#: would be the prediction itself, where a good one meets the limit to the page and the answer is chance.
_BELOW, _FIRST_FACTOR = 0.95, 1.08

#: Backends whose linear bound has a derivation of its own.
_PROMISING = ("coo", "csr", "csc", "index_add")

#: Growth of the search beyond the prediction before it gives up: what still passes there has no limit here.
_FAR = 8

_BACKENDS = [
    "dense",
    "csr",
    *(
        pytest.param(name, marks=tier("standard"))
        for name in ("coo", "csc", "index_add", "pyg", "pyg_edgeindex")
    ),
]


@check(
    catches=("F10", "F11", "F51", "F52"),
    fix="compare the outcomes of the trials in the facts; run the one that surprises alone, with its sizes",
)
@pytest.mark.parametrize("name", _BACKENDS)
def test_largest_graph(
    name: str, device: torch.device, evidence: Evidence, run_tier: Tier, trials: TrialServer
) -> None:
    """The largest graph that a training step survives is found, and all beyond it ends as out of memory."""
    budget, one = budget_bytes(device, run_tier), workload(name, 1000)
    predicted = largest_nodes(one, budget, device=str(device))
    bracket = find_largest(
        lambda nodes: trials.run(
            one.with_nodes(nodes), backend(name), device=str(device), budget_bytes=budget
        ),
        start=max(1, int(_BELOW * predicted)),
        largest=_FAR * max(1, predicted),
        resolution=_RESOLUTION[run_tier],
        first_factor=_FIRST_FACTOR,
    )
    _record(bracket, predicted, budget, evidence)
    _require_told_apart(bracket)
    if bracket.violations:
        bad, good = bracket.violations[0]
        fail(
            f"{name}: whether a graph fits is not a matter of its size",
            expected=f"a graph of {bad.size:,} nodes to fit, as one of {good.size:,} does",
            found=bad.verdict.describe(),
            cause="memory is lost from one trial to the next, a failure sticks, or something "
            "else uses the device",
            fix="look at the order of the trials in the facts; on a shared device, run alone",
        )
    if any(
        p.verdict.end is TrialEnd.UNSUPPORTED for p in bracket.probes if p.size == bracket.smallest_failed
    ):
        not_applicable(f"{name} refuses larger graphs before memory runs out", needs=f"backend:{name}")
    largest = bracket.largest_passed
    if largest is None:
        fail(
            f"{name}: not one graph fits {budget // MIB} MiB",
            expected=f"about {predicted:,} nodes",
            found=bracket.probes[-1].verdict.describe(),
        )
    if bracket.smallest_failed is None:
        fail(
            f"{name}: a graph that needs {_FAR} times the budget survives",
            expected=f"out of memory beyond {predicted:,} nodes",
            found=f"{largest:,} nodes survive",
            cause="the budget is not enforced, or the step does not do its work",
        )
    if bracket.exhausted:
        inconclusive(f"{name}: the search ran out of probes", found=_spell(bracket))
    evidence.measure(
        "largest_nodes",
        largest,
        unit="node",
        direction="higher",
        device=str(device),
        workload="gcn-training-step",
        # Near the limit sorts and sparse products make do with less, so the last few percent are not exact.
        noisy=True,
        backend=name,
        budget_bytes=budget,
        edges_per_node=one.num_edges // one.num_nodes,
        features=one.num_features,
        resolution=_RESOLUTION[run_tier],
    )
    _require_promise(name, bracket, budget, device, evidence)


def _record(bracket: Bracket[TrialOutcome], predicted: int, budget: int, evidence: Evidence) -> None:
    largest = bracket.largest_passed
    evidence.fact("budget_bytes", budget)
    evidence.fact("budget_kind", bracket.probes[0].verdict.budget_kind)
    evidence.fact("largest_passed", largest)
    evidence.fact("smallest_failed", bracket.smallest_failed)
    evidence.fact("predicted_nodes", predicted)
    evidence.fact("predicted_by_measured", predicted / largest if largest else None)
    evidence.fact(
        "trials",
        [
            {"nodes": p.size, "outcome": p.verdict.describe(), "peak_bytes": p.verdict.peak_bytes}
            for p in bracket.probes
        ],
    )


def _require_told_apart(bracket: Bracket[TrialOutcome]) -> None:
    """Every failure must be one of memory; a crash at the limit is a finding of its own."""
    for probe in bracket.probes:
        end = probe.verdict.end
        if not (probe.verdict.survived or end.out_of_memory or end is TrialEnd.UNSUPPORTED):
            fail(
                f"a graph of {probe.size:,} nodes ended as: {end.value}",
                expected="survived, or out of memory",
                found=probe.verdict.describe(),
                cause="an error path of torch or of a library that can't cope with a refused allocation",
                fix="run the same sizes with more memory: if it ends the same way, memory is not the cause",
            )


def _require_promise(
    name: str, bracket: Bracket[TrialOutcome], budget: int, device: torch.device, evidence: Evidence
) -> None:
    """A graph whose linear bound is within the budget must fit (F10)."""
    if name not in _PROMISING:
        return
    low = 1
    while linear_bound(workload(name, 2 * low), device=str(device)).num_bytes <= budget:
        low *= 2
    failed = bracket.smallest_failed or math.inf
    evidence.fact("promised_nodes", low)
    if failed <= low:
        fail(
            f"{name}: a graph that must fit does not",
            expected=f"{low:,} nodes within {budget // MIB} MiB: "
            + linear_bound(workload(name, low), device=str(device)).rule,
            found=_spell(bracket),
            cause="the step holds something that no term of the model explains, such as a densified gradient",
        )


def _spell(bracket: Bracket[TrialOutcome]) -> str:
    return f"{bracket.largest_passed} nodes survive, {bracket.smallest_failed} do not"


@check(
    catches=("F10",),
    fix="profile one step with torch.profiler(profile_memory=True) and look for a tensor of N x N",
)
def test_sparse_survives_where_dense_cannot(
    device: torch.device, evidence: Evidence, run_tier: Tier, trials: TrialServer
) -> None:
    """Where one byte for each pair of nodes is twice the budget, sparse trains and dense is out of memory."""
    budget = budget_bytes(device, run_tier)
    nodes = math.isqrt(2 * budget) + 1
    outcomes = {
        name: trials.run(
            workload(name, nodes), backend(name), device=str(device), budget_bytes=budget, timeout=120
        )
        for name in ("csr", "dense")
    }
    evidence.fact("nodes", nodes)
    evidence.fact("budget_bytes", budget)
    evidence.fact("outcomes", {name: outcome.describe() for name, outcome in outcomes.items()})
    sparse, dense = outcomes["csr"], outcomes["dense"]
    if not sparse.survived:
        fail(
            f"the sparse training step of {nodes:,} nodes does not survive {budget // MIB} MiB",
            expected=f"about {estimate(workload('csr', nodes)).peak_bytes / MIB:.0f} MiB to be enough",
            found=sparse.describe(),
            cause="a sparse product whose result or gradient is written out densely",
        )
    if dense.survived:
        fail(
            f"the dense training step of {nodes:,} nodes survives {budget // MIB} MiB",
            expected=f"out of memory: its adjacency matrix alone takes {4 * nodes**2 / MIB:,.0f} MiB",
            found=dense.describe(),
            cause="the budget is not enforced, so no threshold found here can be believed",
        )
    if not (dense.end.out_of_memory or dense.end is TrialEnd.UNSUPPORTED):
        fail(
            "running out of memory is not reported as such",
            expected="out of memory",
            found=dense.describe(),
            cause="an error path of torch or of a library that can't cope with a refused allocation",
        )
