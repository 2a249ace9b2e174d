"""One trial: training steps of given sizes within a budget, in the process that calls this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from gnnbench.graphs import Graph
from gnnbench.memory.gauge import Gauge, gauge_for
from gnnbench.memory.outcome import TrialEnd, TrialOutcome, end_of_error
from gnnbench.memory.request import TrialRequest
from gnnbench.memory.step import Training, make_graph
from gnnbench.memory.workload import Workload
from gnnbench.reference import UnsupportedByBackend

#: Nodes of the step that is run before anything is counted, so that libraries, kernels and handles are there.
_WARM_NODES = 64

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A trial with its graphs made: they are what is trained on, and not under the budget on a CPU."""

    request: TrialRequest
    graph: Graph
    recovery: tuple[Workload, Graph] | None


def prepare(request: TrialRequest) -> Prepared:
    """Make the graphs in host memory; a graph for a GPU is made on that GPU, which is quicker."""
    device = torch.device(request.device)

    def graph(workload: Workload) -> Graph:
        return make_graph(workload, device).to(torch.device("cpu"))

    recovery = None
    if request.recover_nodes is not None:
        smaller = request.workload.with_nodes(request.recover_nodes)
        recovery = (smaller, graph(smaller))
    return Prepared(request, graph(request.workload), recovery)


def warm_up(request: TrialRequest) -> None:
    """Run a tiny step, so that what only a first step pays is not charged to the trial."""
    small = replace(request.workload, num_nodes=_WARM_NODES, num_edges=4 * _WARM_NODES)
    device = torch.device(request.device)
    Training(small, request.backend, make_graph(small), device).step()


def conduct(prepared: Prepared, say: Say) -> TrialOutcome:
    """Run the trial within its budget; `say` is told each phase before it begins. Errors are outcomes."""
    request = prepared.request
    device = torch.device(request.device)
    try:
        gauge = gauge_for(device, request.budget_bytes)
    except Exception as error:
        return TrialOutcome(end=TrialEnd.ERROR, phase="budget", detail=first_line(error))
    try:
        outcome = _attempt(request.workload, request, prepared.graph, device, gauge, say)
        if outcome.end.out_of_memory:
            outcome = replace(outcome, left_bytes=gauge.live())
            if prepared.recovery is not None:
                workload, graph = prepared.recovery
                again = _attempt(
                    workload, request, graph, device, gauge, lambda phase: say(f"{phase} of the recovery")
                )
                outcome = replace(outcome, recovery=again)
    finally:
        # Before anything is reported: the report must not fail for want of memory.
        gauge.release()
    return replace(outcome, budget_bytes=request.budget_bytes, budget_kind=gauge.kind)


def _attempt(
    workload: Workload, request: TrialRequest, graph: Graph, device: torch.device, gauge: Gauge, say: Say
) -> TrialOutcome:
    phase = "bind"
    live: list[int] = []
    try:
        say(phase)
        training = Training(workload, request.backend, graph, device)
        before = training.snapshot()
        for index in range(request.steps):
            phase = f"step {index + 1}"
            say(phase)
            loss = training.step()
            if request.steps > 1:
                live.append(gauge.live())
        peak = gauge.peak()
        value = training.require_trained(before, loss)
    except Exception as error:
        detail = error.reason if isinstance(error, UnsupportedByBackend) else first_line(error)
        return TrialOutcome(end=end_of_error(error), phase=phase, detail=detail, live_bytes=tuple(live))
    return TrialOutcome(end=TrialEnd.SURVIVED, peak_bytes=peak, live_bytes=tuple(live), loss=value)


def first_line(error: BaseException) -> str:
    """Type and first line of an error."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
