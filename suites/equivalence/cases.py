"""What the checks share: operands with their oracle, made once a process, and how backends are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, fail, not_applicable, tier
from gnnbench.graphs import Graph, ProbeGraph, SelfLoops, exact_probe_graphs, probe_graphs
from gnnbench.numerics import (
    QUANTITIES,
    Comparison,
    LayerInputs,
    LayerResult,
    Oracle,
    Quantity,
    compare,
    compare_exact,
    exact_inputs,
    gcn_bounds,
    gcn_oracle,
    real_inputs,
    require_exact,
)
from gnnbench.reference import Backend, Layer, UnsupportedByBackend
from gnnbench.reference.roster import Named

from .roots import settled


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Case:
    """One graph with operands, the right answer, and how far from it an answer may be."""

    graph: Graph
    inputs: LayerInputs
    """float32, on the host."""
    oracle: Oracle
    bounds: Mapping[Quantity, Tensor] | None
    """None where the answer must be equal bit for bit."""

    def compare(
        self, found: LayerResult, device: torch.device, quantities: Sequence[Quantity] = QUANTITIES
    ) -> list[Comparison]:
        """Each of `quantities` that the layer has, against the oracle."""
        comparisons = []
        for name in quantities:
            if name == "db" and self.inputs.bias is None:
                continue
            got = getattr(found, name)
            if self.bounds is None:
                comparisons.append(compare_exact(name, got, self.oracle, device=device))
            else:
                comparisons.append(compare(name, got, self.oracle, self.bounds[name], device=device))
        return comparisons

    def exact_in(
        self, name: Quantity, found: object, device: torch.device, dtype: torch.dtype = torch.float64
    ) -> Comparison:
        """One quantity of a layer bound in another dtype, whose every bit must be the oracle's."""
        return compare_exact(name, found, self.oracle, device=device, dtype=dtype)


def make_case(graph: Graph, inputs: LayerInputs, *, exact: bool, self_loops: SelfLoops = "add") -> Case:
    """The case of these operands; raises `ValueError` where an exact one could round."""
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream, self_loops=self_loops)
    if exact:
        require_exact(oracle)
    return Case(graph, inputs, oracle, None if exact else gcn_bounds(oracle))


@cache
def exact_case(
    name: str,
    self_loops: SelfLoops = "add",
    *,
    widths: tuple[int, int] = (16, 8),
    bias: bool = True,
    seed: int = 0,
) -> Case:
    """Whole numbers on the exact probe graph called `name`."""
    graph = next(probe.graph for probe in exact_probe_graphs(self_loops) if probe.name == name)
    inputs = exact_inputs(graph.num_nodes, *widths, seed=seed, bias=bias)
    return make_case(graph, inputs, exact=True, self_loops=self_loops)


@cache
def bounded_case(name: str) -> Case:
    """Real numbers on the probe graph called `name`, as wide as it asks for."""
    probe = next(probe for probe in probe_graphs() if probe.name == name)
    return make_case(probe.graph, real_inputs(probe.graph.num_nodes, *probe.widths), exact=False)


def each(probes: Sequence[ProbeGraph]) -> pytest.MarkDecorator:
    """Parametrize `probe`, each in its own tier."""
    return pytest.mark.parametrize(
        "probe", [pytest.param(probe, id=probe.name, marks=tier(probe.tier)) for probe in probes]
    )


def bind(
    backend: Backend,
    graph: Graph,
    device: torch.device,
    self_loops: SelfLoops = "add",
    *,
    copy: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Layer:
    """The backend's layer on `graph`; ends the check as not applicable where the backend has none.

    On a copy, unless told otherwise, so that a backend that spoils its graph fails its own checks and nobody
    else's.
    """
    if copy:
        weight = None if graph.edge_weight is None else graph.edge_weight.clone()
        graph = Graph(graph.edge_index.clone(), graph.num_nodes, weight)
    try:
        layer: Layer = backend.bind(graph, device=device, dtype=dtype, self_loops=self_loops)
    except UnsupportedByBackend as unsupported:
        not_applicable(str(unsupported), needs=f"backend:{backend.name}")
    return layer


def precedence(comparison: Comparison) -> tuple[bool, bool, float]:
    """Which of several to tell of, the largest: a wrong forward result, for its gradients follow from it; else the
    worst.
    """
    return not comparison.passed, not comparison.passed and comparison.name == "forward", comparison.ratio


def judge(
    evidence: Evidence, backend: Named, comparisons: Sequence[Comparison], *, on: str = "", fix: str = ""
) -> None:
    """Record every margin; then fail where one is beyond its bound, on the first by `precedence`.

    `on` says what was computed, `fix` what to do about it, where that is not what the check itself has.
    """
    __tracebackhide__ = True
    comparisons = settled(evidence, backend, comparisons)
    for comparison in comparisons:
        evidence.margin(
            comparison.name,
            error=comparison.error,
            bound=comparison.bound,
            rule=comparison.rule,
            where=comparison.where,
        )
    wrong = [comparison for comparison in comparisons if not comparison.passed]
    if not wrong:
        return
    worst = max(wrong, key=precedence)
    names = dict.fromkeys(comparison.name for comparison in wrong)
    others = ", ".join(name for name in names if name != worst.name)
    fail(
        f"{backend.name}: {worst.summary}" + (f"; {others} wrong as well" if others else "") + on,
        expected=worst.expected + (f" at {worst.where}" if worst.where else ""),
        found=worst.got,
        cause=worst.cause,
        fix=fix,
    )
