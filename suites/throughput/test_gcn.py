"""Edges a second through one GCN layer and through a training step of the two-layer GCN.

Nothing here fails for being slow: there is no baseline to be slower than. It fails where the time that was
taken is not the time of the work that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, Tier, check, fail, not_applicable, tier
from gnnbench.graphs import Graph, power_law
from gnnbench.memory import Workload
from gnnbench.memory.step import StepDidNotTrainError, Training, make_graph
from gnnbench.reference import Backend, UnsupportedByBackend, backend
from gnnbench.timing import Clock, Samples, observe_placement, per_second, plan

from .conftest import Timed
from .oracle import require_rows
from .sizing import ROUNDS, workload

_BACKENDS = [
    "csr",
    "pyg",
    *(
        pytest.param(name, marks=tier("standard"))
        for name in ("coo", "csc", "index_add", "pyg_sparse", "pyg_edgeindex")
    ),
    *(pytest.param(name, marks=tier("full")) for name in ("index_add_compiled", "pyg_compiled")),
]

#: Width of the layer, in and out.
_WIDTH = 64

_FIX = "run the equivalence suite for this backend; a time without its work is worth nothing"


@check(catches=("F24", "F53"), fix=_FIX)
@pytest.mark.parametrize("name", _BACKENDS)
def test_layer_forward(
    name: str, device: torch.device, evidence: Evidence, run_tier: Tier, timed: Timed
) -> None:
    """Edges a second of the layer's forward pass, whose result is right and where it was asked for."""
    sizes = workload(name, device, run_tier, hidden=_WIDTH)
    graph = make_graph(sizes, device)
    layer = _bind(name, graph, device)
    inputs = _inputs(graph, device)
    last: list[Tensor] = []

    def forward() -> Tensor:
        with torch.no_grad():
            last[:] = [layer(*inputs)]
        return last[0]

    _require_placement(backend(name), forward, device)
    samples = timed(forward, rounds=ROUNDS[run_tier], **_facts(name, device, sizes))
    _record(samples, "forward_time", "gcn-layer-forward", name, sizes, device, evidence, forward)
    require_rows("timed result", last[0], graph, inputs, evidence)
    fresh = _inputs(graph, device, seed=1)
    with torch.no_grad():
        require_rows("result for other inputs", layer(*fresh), graph, fresh, evidence)


@check(catches=("F24", "F53"), fix=_FIX)
@pytest.mark.parametrize("name", _BACKENDS)
def test_training_step(
    name: str, device: torch.device, evidence: Evidence, run_tier: Tier, timed: Timed
) -> None:
    """Edges a second of a training step, which moves every parameter and lowers the loss."""
    sizes = workload(name, device, run_tier)
    graph = make_graph(sizes, device)
    try:
        training = Training(sizes, backend(name), graph, device)
    except UnsupportedByBackend as error:
        not_applicable(error.reason, needs=f"backend:{name}")
    before, first = training.snapshot(), float(training.step())
    _require_placement(backend(name), training.step, device)
    samples = timed(training.step, rounds=ROUNDS[run_tier], **_facts(name, device, sizes))
    _record(samples, "step_time", "gcn-training-step", name, sizes, device, evidence, training.step)
    try:
        loss = training.require_trained(before, training.step())
    except StepDidNotTrainError as error:
        fail(
            f"{name}: the step that was timed does not train", found=str(error), cause="work that is left out"
        )
    evidence.fact("losses", [first, loss])
    if loss >= first:
        fail(
            f"{name}: the steps that were timed do not lower the loss",
            expected=f"less than the {first:.4f} of the first step",
            found=f"{loss:.4f} after {len(samples.seconds) * samples.schedule.loops:,} steps and more",
            cause="gradients that are not the loss's",
        )


@check(fix="see what the backend keeps from one graph to the next")
@pytest.mark.parametrize("name", _BACKENDS[:1])
def test_time_grows_with_work(
    name: str, device: torch.device, device_clock: Clock, evidence: Evidence, run_tier: Tier
) -> None:
    """A graph of sixteen times the edges takes longer: the layer's time is the time of its edges."""
    large = workload(name, device, run_tier, hidden=_WIDTH)
    fastest = {}
    for sizes in (large.with_nodes(large.num_nodes // 16), large):
        graph = make_graph(sizes, device)
        layer, inputs = _bind(name, graph, device), _inputs(graph, device)
        # The fastest call of the warm-up: what else the machine does can only make a call slower.
        fastest[sizes.num_edges] = min(plan(lambda: layer(*inputs), device_clock).warmup)  # noqa: B023
    small_time, large_time = fastest.values()
    evidence.fact("seconds_by_edges", {str(edges): seconds for edges, seconds in fastest.items()})
    # Twice is what a tenth of the expected growth would give; launches and caches never eat the rest.
    if large_time < 2 * small_time:
        fail(
            f"{name}: sixteen times the edges hardly take longer",
            expected=f"more than twice the {small_time:.3g} s of {min(fastest):,} edges",
            found=f"{large_time:.3g} s for {max(fastest):,} edges",
            cause="work that is left out, a result that is kept, or a clock that does not wait "
            "for the device",
        )


@check(catches=("F24",), fix="a graph without edges is an edge case that loaders produce: mend the backend")
@pytest.mark.parametrize("name", _BACKENDS)
def test_no_edges(name: str, device: torch.device, device_clock: Clock, evidence: Evidence) -> None:
    """A graph without edges is computed and timed, and has no throughput."""
    graph = power_law(64, 0, seed=0, device=device)
    layer, inputs = _bind(name, graph, device), _inputs(graph, device)
    with torch.no_grad():
        out = layer(*inputs)
        taken = plan(lambda: layer(*inputs), device_clock).warmup
    require_rows("no edges", out, graph, inputs, evidence)
    evidence.fact("seconds", list(taken))
    try:
        rate = per_second(graph.num_edges, taken)
    except ValueError:
        return
    fail("a graph without edges was given a throughput", expected="none", found=str(rate))


def _bind(name: str, graph: Graph, device: torch.device) -> Callable[..., Tensor]:
    try:
        return backend(name).bind(graph, device=device, dtype=torch.float32)
    except UnsupportedByBackend as error:
        not_applicable(error.reason, needs=f"backend:{name}")


def _inputs(graph: Graph, device: torch.device, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator(device).manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device, generator=generator)

    return normal(graph.num_nodes, _WIDTH), normal(_WIDTH, _WIDTH) / _WIDTH**0.5, normal(_WIDTH)


def _require_placement(used: Backend, work: Callable[[], object], device: torch.device) -> None:
    """Fail where operators touch another device; compiled code runs beneath the dispatcher and is not seen."""
    if device.type == "cpu" or getattr(used, "tier", None):
        return  # from a CPU there is nowhere to stray to, and looking imports torch's compiler (2 s)
    seen = observe_placement(work, device)
    if seen.moved:
        strays = ", ".join(f"{operator} ({times}x)" for operator, times in sorted(seen.astray.items())[:5])
        fail(
            f"{used.name}: part of the work runs on another device than {device}",
            expected=f"every operator on {device}",
            found=f"{strays}; operators by device: {seen.operators}",
            cause="a silent fallback for what the device lacks, or a tensor left behind on the host",
        )


def _facts(name: str, device: torch.device, sizes: Workload) -> dict[str, object]:
    return {"backend": name, "device": str(device), "nodes": sizes.num_nodes, "edges": sizes.num_edges}


def _record(
    samples: Samples,
    time_name: str,
    what: str,
    name: str,
    sizes: Workload,
    device: torch.device,
    evidence: Evidence,
    work: Callable[[], object],
) -> None:
    """Times, rates, and on a GPU the peak of a call of its own: counting memory is no part of the time."""
    params: dict[str, Any] = {
        "backend": name,
        "nodes": sizes.num_nodes,
        "edges": sizes.num_edges,
        "features": sizes.num_features,
        "hidden": sizes.num_hidden,
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
    }
    schedule = samples.schedule
    evidence.fact("loops", schedule.loops)
    evidence.fact("warmup_seconds", list(schedule.warmup))
    evidence.fact("settled", schedule.settled)
    evidence.fact("clock_smallest_seconds", schedule.smallest)
    evidence.measure(
        "edges_per_second",
        per_second(sizes.num_edges, samples.seconds),
        unit="edge/s",
        direction="higher",
        device=str(device),
        workload=what,
        **params,
    )
    evidence.measure(
        time_name, samples.seconds, unit="s", direction="lower", device=str(device), workload=what, **params
    )
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        evidence.measure(
            "peak_memory",
            torch.cuda.max_memory_allocated(device),
            unit="B",
            direction="lower",
            device=str(device),
            workload=what,
            noisy=False,
            **params,
        )
