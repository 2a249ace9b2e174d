"""Gradients by edge weights, normalisation included: what attention, pruning and learnt graphs stand on.

Backends that can't differentiate by edge weights are not judged here at all.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, check, not_applicable, tier
from gnnbench.graphs import Graph, SelfLoops, exact_probe_graphs, probe_graphs
from gnnbench.numerics import (
    Comparison,
    compare_edge_weights,
    evaluate_weighted,
    exact_inputs,
    real_inputs,
    require_exact_edge_weights,
)
from gnnbench.reference import UnsupportedByBackend, WeightedBackend, WeightedLayer

from .cases import Case, judge, make_case

FIX = (
    "d Â/d w has two parts: the edge's own entry, and every entry that the degree of its target normalises. See "
    "which part is off, and whether the gradients come in the order of the edges; then run this check on the "
    "backend 'dense'."
)

#: What each shows is in `gnnbench.graphs.probes`. Unweighted ones are given ones for weights.
PROBES = (
    "directed",
    "mixed",
    "own_loops",
    "double_loop",
    "duplicates",
    "multigraph",
    "zero_weight",
    "random",
)


@cache
def weighted_case(
    name: str, self_loops: SelfLoops = "add", *, exact: bool = False, turned: bool = False
) -> Case:
    """The probe called `name` with weights in any case; `turned`, with the weights of its edges turned about.

    Turned about, every edge has the weight of another one, of the same target, so that degrees that are powers
    of 4 stay so.
    """
    if exact:
        probe = next(probe for probe in exact_probe_graphs(self_loops) if probe.name == name)
        inputs = exact_inputs(probe.graph.num_nodes)
    else:
        probe = next(probe for probe in probe_graphs() if probe.name == name)
        inputs = real_inputs(probe.graph.num_nodes, *probe.widths)
    weight = probe.graph.weights()
    if turned:
        order = probe.graph.target.argsort(stable=True)
        backwards = probe.graph.target.flip(0).argsort(stable=True)
        weight = torch.empty_like(weight).index_put_((order,), weight.flip(0)[backwards])
    case = make_case(
        Graph(probe.graph.edge_index, probe.graph.num_nodes, weight),
        inputs,
        exact=exact,
        self_loops=self_loops,
    )
    if exact:
        require_exact_edge_weights(case.oracle)
    return case


def bind_weighted(
    backend: WeightedBackend, graph: Graph, device: torch.device, self_loops: SelfLoops = "add"
) -> WeightedLayer:
    """The backend's layer on a copy of the edges of `graph`; ends the check where the backend has none."""
    edges = Graph(graph.edge_index.clone(), graph.num_nodes)
    try:
        return backend.bind_weighted(edges, device=device, dtype=torch.float32, self_loops=self_loops)
    except UnsupportedByBackend as unsupported:
        not_applicable(str(unsupported), needs=f"backend:{backend.name}")


def comparisons(layer: WeightedLayer, case: Case, device: torch.device) -> list[Comparison]:
    """All that a layer with edge weights gives, against the oracle."""
    found, by_edge_weight = evaluate_weighted(layer, case.inputs.to(device), weights(case, device))
    exact = case.bounds is None and inverse_powers_are_exact(device)
    return [
        *case.compare(found, device),
        compare_edge_weights(by_edge_weight, case.oracle, exact=exact, device=device),
    ]


def weights(case: Case, device: torch.device) -> Tensor:
    """A copy on `device`."""
    return case.graph.weights().to(device, copy=True)


@cache
def inverse_powers_are_exact(device: torch.device) -> bool:
    """Whether `pow(-1.5)` of powers of 4, as PyG's backward pass takes it, is a power of two on `device`.

    No standard promises it. Where it isn't, exact probes are judged by their bound.
    """
    powers = torch.arange(6, device=device)
    return bool(torch.equal((4.0**powers).float().pow(-1.5), (0.125**powers).float()))


@check(catches=("F08", "F15", "F17", "F22", "F23"), fix=FIX)
@pytest.mark.parametrize(
    "probe", [pytest.param(name, marks=tier("smoke" if name == PROBES[0] else "standard")) for name in PROBES]
)
def test_gradient(
    weighted_backend: WeightedBackend, probe: str, device: torch.device, evidence: Evidence
) -> None:
    """Forward and all gradients, those by edge weights too, are within their error bounds."""
    case = weighted_case(probe)
    layer = bind_weighted(weighted_backend, case.graph, device)
    judge(evidence, weighted_backend, comparisons(layer, case, device))


@check(tier="standard", catches=("F08", "F15", "F17", "F22", "F23"), fix=FIX)
@pytest.mark.parametrize("probe", ["exact_plain", "exact_weighted", "exact_multigraph", "exact_mixed"])
def test_exact(
    weighted_backend: WeightedBackend, probe: str, device: torch.device, evidence: Evidence
) -> None:
    """On probes where nothing can round, all of them equal the float64 oracle bit for bit."""
    case = weighted_case(probe, exact=True)
    layer = bind_weighted(weighted_backend, case.graph, device)
    evidence.fact("exact", inverse_powers_are_exact(device))
    judge(evidence, weighted_backend, comparisons(layer, case, device))


@check(tier="standard", catches=("F17", "F18"), fix=FIX)
@pytest.mark.parametrize("self_loops", ["add_remaining", "none"])
def test_self_loops(
    weighted_backend: WeightedBackend, self_loops: SelfLoops, device: torch.device, evidence: Evidence
) -> None:
    """Own self-loops have their gradient under other conventions than A + I too. Bit for bit."""
    case = weighted_case("exact_mixed", self_loops, exact=True)
    layer = bind_weighted(weighted_backend, case.graph, device, self_loops)
    judge(evidence, weighted_backend, comparisons(layer, case, device))


@check(
    tier="standard",
    catches=("F21",),
    fix="The normalisation, or what its backward pass needs, is kept from one call to the next.",
)
def test_new_weights(weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence) -> None:
    """One layer, called with some weights, with others, and with the first again."""
    cases = [weighted_case("exact_weighted", exact=True, turned=turned) for turned in (False, True, False)]
    layer = bind_weighted(weighted_backend, cases[0].graph, device)
    judge(
        evidence,
        weighted_backend,
        [comparison for case in cases for comparison in comparisons(layer, case, device)],
    )
