"""How much memory a training step takes at its peak, and how that grows."""

from __future__ import annotations

import math

import pytest
import torch

from gnnbench.checks import Evidence, Tier, check, fail, not_applicable, tier
from gnnbench.memory import TrialEnd, TrialOutcome, TrialServer
from gnnbench.memory.estimate import estimate, linear_bound
from gnnbench.reference import Backend, backend

from .sizing import MIB, budget_bytes, workload

_SPARSE = ["csr", *(pytest.param(name, marks=tier("standard")) for name in ("coo", "csc", "index_add"))]

#: Nodes at which the square of them, four bytes each, is many times what a sparse step takes.
_NODES = 8192


@check(
    catches=("F10",),
    fix="profile one step with torch.profiler(profile_memory=True) and look for the largest tensor",
)
@pytest.mark.parametrize("name", _SPARSE)
def test_sparse_step_is_linear(
    name: str, device: torch.device, evidence: Evidence, run_tier: Tier, trials: TrialServer
) -> None:
    """The peak of a sparse training step is within a·nnz + b·N·F, term by term."""
    one = workload(name, _NODES)
    bound, predicted = linear_bound(one, device=str(device)), estimate(one, device=str(device))
    outcome = trials.run(
        one, backend(name), device=str(device), budget_bytes=max(budget_bytes(device, run_tier), 512 * MIB)
    )
    peak = _require_peak(name, outcome)
    evidence.fact("predicted_bytes", predicted.peak_bytes)
    evidence.fact("predicted_by_measured", predicted.peak_bytes / peak)
    evidence.fact(
        "terms",
        [{"moment": t.moment, "name": t.name, "bytes": t.num_bytes, "why": t.why} for t in predicted.terms],
    )
    _measure(peak, device, evidence, name, one.num_nodes)
    margin = evidence.margin("peak_memory", error=peak, bound=bound.num_bytes, rule=bound.rule)
    if not margin.passed:
        fail(
            f"{name}: a training step of {one.num_nodes:,} nodes takes more memory than its terms explain",
            expected=f"at most {bound.num_bytes / MIB:.1f} MiB ({bound.rule})",
            found=f"{peak / MIB:.1f} MiB; N² alone would be {4 * one.num_nodes**2 / MIB:.0f} MiB",
            cause="a gradient or a product that is written out densely, or an activation kept twice",
        )


@tier("standard")
@check(
    tier="standard",
    catches=("F10",),
    fix="profile one step of the larger graph and look for a tensor of N x N",
)
def test_growth(backend: Backend, device: torch.device, evidence: Evidence, trials: TrialServer) -> None:
    """Four times the nodes and edges take four times the memory, or sixteen times for the dense backend."""
    if device.type == "cpu" and getattr(backend, "tier", None):
        not_applicable(
            f"{backend.name} compiles while it runs, in processes that an address-space budget would starve",
            needs="cuda",
        )
    peaks = []
    for nodes in (_NODES // 4, _NODES):
        outcome = trials.run(
            workload(backend.name, nodes), backend, device=str(device), budget_bytes=1024 * MIB, timeout=120
        )
        if outcome.end is TrialEnd.UNSUPPORTED:
            not_applicable(outcome.detail, needs=f"backend:{backend.name}")
        peaks.append(_require_peak(backend.name, outcome))
        _measure(peaks[-1], device, evidence, backend.name, nodes)
    exponent = math.log(peaks[1] / peaks[0], 4)
    evidence.fact("exponent", exponent)
    # Memory is a sum of terms in N and N²; halfway between them the exponent tells which of the two leads.
    quadratic, expected = exponent > 1.5, backend.name == "dense"
    if quadratic != expected:
        fail(
            f"{backend.name}: memory grows with the nodes to the power of {exponent:.2f}",
            expected="2, as a dense adjacency matrix does" if expected else "1, as edges and features do",
            found=f"{peaks[0] / MIB:.1f} MiB for {_NODES // 4:,} nodes, {peaks[1] / MIB:.1f} MiB "
            f"for {_NODES:,}",
            cause="" if expected else "a matrix of N x N is written out, perhaps in the backward pass alone",
        )


def _require_peak(name: str, outcome: TrialOutcome) -> int:
    if not outcome.survived or outcome.peak_bytes is None:
        fail(
            f"{name}: a training step of {_NODES:,} nodes did not get to its end",
            expected="survived",
            found=outcome.describe(),
            cause="a densified gradient, where it is out of memory" if outcome.end.out_of_memory else "",
        )
    return outcome.peak_bytes


def _measure(peak: int, device: torch.device, evidence: Evidence, name: str, nodes: int) -> None:
    evidence.measure(
        "peak_memory",
        peak,
        unit="B",
        direction="lower",
        device=str(device),
        workload="gcn-training-step",
        # Torch's allocator counts exactly; an address space moves by some pages with where things are mapped.
        noisy=device.type == "cpu",
        backend=name,
        nodes=nodes,
    )
