"""What the checks of layers with edge weights share: cases with a weight on each edge, binding, and judging.

`GivenWeights` is such a layer seen as a backend whose weights are those of the graph, so that what is asked of
backends can be asked of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from gnnbench.checks import not_applicable
from gnnbench.graphs import Graph, SelfLoops, exact_probe_graphs, probe_graphs
from gnnbench.numerics import (
    D_EDGE_WEIGHT,
    GRADIENTS,
    Comparison,
    LayerResult,
    Quantity,
    compare_edge_weights,
    evaluate_weighted,
    exact_inputs,
    real_inputs,
    require_exact_edge_weights,
)
from gnnbench.numerics.edge_comparison import edge_weight_answer
from gnnbench.numerics.edge_weights import edge_weight_headroom
from gnnbench.reference import Layer, UnsupportedByBackend, WeightedBackend, WeightedLayer, compiles

from .cases import Case, make_case
from .variants import Judging

#: All that a layer with edge weights can be differentiated by.
ALL_GRADIENTS: tuple[str, ...] = (*GRADIENTS, D_EDGE_WEIGHT)

#: By how much the significand of float64 is longer than that of float32.
_WIDER = 2.0**29


@cache
def weighted_case(
    name: str,
    self_loops: SelfLoops = "add",
    *,
    exact: bool = False,
    turned: bool = False,
    widths: tuple[int, int] = (16, 8),
    bias: bool = True,
) -> Case:
    """The probe called `name` with weights in any case; `turned`, with the weights of its edges turned about.

    Turned about, every edge has the weight of another one, of the same target, so that degrees that are powers
    of 4 stay so. `widths` and `bias` are those of exact operands.
    """
    if exact:
        probe = next(probe for probe in exact_probe_graphs(self_loops) if probe.name == name)
        inputs = exact_inputs(probe.graph.num_nodes, *widths, bias=bias)
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
    backend: WeightedBackend,
    graph: Graph,
    device: torch.device,
    self_loops: SelfLoops = "add",
    dtype: torch.dtype = torch.float32,
    *,
    keep_weights: bool = False,
) -> WeightedLayer:
    """The backend's layer on a copy of the edges of `graph`; ends the check where the backend has none.

    With `keep_weights` the graph comes with weights of its own, which are not to be looked at.
    """
    weight = graph.weights().clone() if keep_weights else None
    edges = Graph(graph.edge_index.clone(), graph.num_nodes, weight)
    try:
        return backend.bind_weighted(edges, device=device, dtype=dtype, self_loops=self_loops)
    except UnsupportedByBackend as unsupported:
        not_applicable(str(unsupported), needs=f"backend:{backend.name}")


def comparisons(
    layer: WeightedLayer, case: Case, device: torch.device, gradients: Collection[str] = ALL_GRADIENTS
) -> list[Comparison]:
    """The forward result of a layer with edge weights and each of `gradients`, against the oracle."""
    found, by_edge_weight = evaluate_weighted(layer, case.inputs.to(device), weights(case, device), gradients)
    return compare_weighted(case, found, by_edge_weight, device, gradients)


def compare_weighted(
    case: Case,
    found: LayerResult,
    by_edge_weight: Tensor | None,
    device: torch.device,
    gradients: Collection[str] = ALL_GRADIENTS,
) -> list[Comparison]:
    """What was found against the oracle of `case`; the gradient by edge weights bit for bit where it can be."""
    wanted: list[Quantity] = ["forward", *(name for name in GRADIENTS if name in gradients)]
    compared = case.compare(found, device, wanted)
    if D_EDGE_WEIGHT in gradients:
        exact = case.bounds is None and headroom(case) <= 1 and inverse_powers_are_exact(device)
        compared.append(
            compare_edge_weights(
                by_edge_weight, case.oracle, exact=exact, device=device, answer=edge_answer(case)
            )
        )
    return compared


def run_weighted(
    backend: WeightedBackend, cases: Mapping[str, Case], device: torch.device, self_loops: SelfLoops = "add"
) -> dict[str, list[Comparison]]:
    """Each case, bound and evaluated anew, all gradients of each against its own oracle."""
    judging = Judging()
    for label, case in cases.items():
        with judging(label):
            layer = bind_weighted(backend, case.graph, device, self_loops)
            judging.found[label] = comparisons(layer, case, device)
    return judging.end()


def weights(case: Case, device: torch.device) -> Tensor:
    """A copy on `device`."""
    return case.graph.weights().to(device, copy=True)


@cache
def edge_answer(case: Case) -> tuple[Tensor, Tensor]:
    """The gradient by edge weights and its bound, once for all backends."""
    return edge_weight_answer(case.oracle)


@cache
def headroom(case: Case) -> float:
    """Of the gradient by edge weights: at most 1 where float32 holds every partial sum of it."""
    return edge_weight_headroom(case.oracle)


def exact_in_float64(case: Case) -> bool:
    """Whether float64 holds every partial sum of the gradient by edge weights."""
    return headroom(case) <= _WIDER


@cache
def inverse_powers_are_exact(device: torch.device, dtype: torch.dtype = torch.float32) -> bool:
    """Whether `pow(-1.5)` of powers of 4, as PyG's backward pass takes it, is a power of two on `device`.

    No standard promises it. Where it isn't, exact probes are judged by their bound.
    """
    powers = torch.arange(6, device=device)
    return bool(torch.equal((4.0**powers).to(dtype).pow(-1.5), (0.125**powers).to(dtype)))


@dataclass(frozen=True)
class GivenWeights:
    """A layer with edge weights as a `Backend`: each call hands it the weights that its graph had.

    Nothing asks for a gradient by them, which is how most programs use weights. What the graph weighs is
    converted to the bound dtype, and else handed on as it lies in memory.
    """

    weighted: WeightedBackend

    @property
    def name(self) -> str:
        """That of the backend."""
        return self.weighted.name

    @property
    def tier(self) -> str:
        """That of the backend."""
        return getattr(self.weighted, "tier", "smoke")

    @property
    def compiles(self) -> bool:
        """As the backend does."""
        return compiles(self.weighted)

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Bind the edges; raises what `bind_weighted` raises."""
        edges = Graph(graph.edge_index, graph.num_nodes)
        layer = self.weighted.bind_weighted(edges, device=device, dtype=dtype, self_loops=self_loops)
        edge_weight = graph.weights(dtype).to(device)

        def given(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return layer(x, weight, bias, edge_weight)

        return given
