"""What the checks of GraphSAGE and GAT share: operands with their oracle, made once, and binding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnbench.checks import not_applicable, tier
from gnnbench.graphs import Graph, ProbeGraph, exact_probe_graphs, probe_graphs
from gnnbench.numerics.comparison import Comparison
from gnnbench.numerics.gat import (
    equal_gat_inputs,
    gat_bounds,
    gat_headroom,
    gat_oracle,
    real_gat_inputs,
    require_equal_shares,
)
from gnnbench.numerics.operands import Answer, Operands, compare_answer, run_layer
from gnnbench.numerics.sage import (
    exact_sage_inputs,
    positive_sage_inputs,
    real_sage_inputs,
    require_exact_sage,
    sage_bounds,
    sage_oracle,
)
from gnnbench.reference import UnsupportedByBackend
from gnnbench.reference.gat import GatBackend
from gnnbench.reference.sage import SageBackend

#: Probe graphs larger than this make the dense implementations slow, and show nothing that smaller don't.
_FEW_NODES = 3000

#: Channels of a head: other than any number of heads, so that mixing them up changes what is where.
CHANNELS = 4


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LayerCase:
    """One graph with operands, the right answer, and how far from it an answer may be."""

    graph: Graph
    inputs: Operands
    """float32, on the host."""
    answer: Answer
    bounds: Mapping[str, Tensor] | None
    """None where the answer must be equal bit for bit."""

    def compare(
        self, layer: Any, device: torch.device, quantities: Sequence[str] | None = None
    ) -> list[Comparison]:
        """Run `layer` on `device`, and each of `quantities`, or all there are, against the oracle."""
        found = run_layer(layer, self.inputs.to(device))
        return compare_answer(found, self.answer, self.bounds, device=device, quantities=quantities)


@cache
def exact_sage_case(name: str) -> LayerCase:
    """Whole numbers on the probe graph called `name`, whose in-degrees are powers of 4."""
    graph = next(probe.graph for probe in exact_probe_graphs("none") if probe.name == name)
    inputs = exact_sage_inputs(graph.num_nodes)
    oracle = sage_oracle(graph, inputs)
    require_exact_sage(oracle)
    return LayerCase(graph, inputs, oracle, None)


@cache
def real_sage_case(name: str, *, positive: bool = False) -> LayerCase:
    """Real numbers on the probe graph called `name`, as wide as it asks for; of one sign, if asked for."""
    probe = _probe(name)
    draw = positive_sage_inputs if positive else real_sage_inputs
    inputs = draw(probe.graph.num_nodes, *probe.widths)
    oracle = sage_oracle(probe.graph, inputs)
    return LayerCase(probe.graph, inputs, oracle, sage_bounds(oracle))


@cache
def gat_case(name: str, heads: int, *, concat: bool, scale: float = 1.0) -> LayerCase:
    """Real numbers on the probe graph called `name`, with features as wide as it asks for."""
    probe = _probe(name)
    inputs = real_gat_inputs(
        probe.graph.num_nodes, probe.widths[0], CHANNELS, heads=heads, concat=concat, scale=scale
    )
    oracle = gat_oracle(probe.graph, inputs)
    return LayerCase(probe.graph, inputs, oracle, gat_bounds(oracle))


@cache
def equal_gat_case(name: str, *, concat: bool) -> tuple[LayerCase, tuple[str, ...]]:
    """Whole numbers and equal shares on the exact probe graph called `name`, and which quantities can't round."""
    graph = next(probe.graph for probe in exact_probe_graphs() if probe.name == name)
    inputs = equal_gat_inputs(graph.num_nodes, concat=concat)
    oracle = gat_oracle(graph, inputs)
    require_equal_shares(oracle)
    exact = tuple(quantity for quantity, share in gat_headroom(oracle).items() if share <= 1)
    return LayerCase(graph, inputs, oracle, gat_bounds(oracle)), exact


def _probe(name: str) -> ProbeGraph:
    return next(probe for probe in probe_graphs() if probe.name == name)


def small(probes: Sequence[ProbeGraph]) -> list[ProbeGraph]:
    """Those with few nodes."""
    return [probe for probe in probes if probe.graph.num_nodes <= _FEW_NODES]


def each_probe(probes: Sequence[ProbeGraph], smoke: str = "") -> pytest.MarkDecorator:
    """Parametrize `probe`: the one called `smoke` in the tier of the check, the others from standard on."""
    return pytest.mark.parametrize(
        "probe",
        [
            pytest.param(probe, id=probe.name, marks=() if probe.name == smoke else tier("standard"))
            for probe in probes
        ],
    )


def each_implementation(
    name: str, implementations: Sequence[SageBackend] | Sequence[GatBackend]
) -> pytest.MarkDecorator:
    """Parametrize `name`, each implementation in its own tier."""
    return pytest.mark.parametrize(
        name,
        [
            pytest.param(one, id=one.name, marks=tier(getattr(one, "tier", None) or "smoke"))
            for one in implementations
        ],
    )


def bind_layer(
    implementation: SageBackend | GatBackend, graph: Graph, device: torch.device, **options: bool
) -> Any:
    """The implementation's layer on a copy of `graph`, in float32; not applicable where it has none."""
    weight = None if graph.edge_weight is None else graph.edge_weight.clone()
    copy = Graph(graph.edge_index.clone(), graph.num_nodes, weight)
    try:
        return implementation.bind(copy, device=device, dtype=torch.float32, **options)
    except UnsupportedByBackend as unsupported:
        not_applicable(str(unsupported), needs=f"backend:{implementation.name}")
