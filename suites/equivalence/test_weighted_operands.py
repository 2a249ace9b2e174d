"""Layers with edge weights whatever is frozen, however operands lie in memory, and however many edges there are.

The gradient by edge weights is judged with the others: it is a sampled product, whose kernels have tiles,
strides and shortcuts of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import chain, combinations

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, Tier, check
from gnnbench.graphs import Graph
from gnnbench.numerics import (
    GRADIENTS,
    Comparison,
    compare_edge_weights,
    evaluate_weighted,
    exact_inputs,
)
from gnnbench.reference import WeightedBackend

from .cases import Case, bounded_case, judge, make_case
from .test_edge_values import MANY, equal_weights, many_edges
from .test_shapes import every_other, forms, node_counts, widths
from .test_use import masked_cases
from .variants import Judging, judge_variants, thinned
from .weighted import (
    ALL_GRADIENTS,
    bind_weighted,
    compare_weighted,
    comparisons,
    exact_in_float64,
    inverse_powers_are_exact,
    run_weighted,
    weighted_case,
    weights,
)

PROBE = "exact_weighted"

#: Features and channels: layers that pick the cheaper order take another one for each.
_WIDTHS = {"narrowing": (16, 8), "widening": (8, 16)}

#: Probes of `gnnbench.graphs.probes` with few edges, none, or a width of 1.
_FEW = ("no_edges", "one_node", "one_loop", "single_edge", "two_edges", "isolated", "width_1", "widening")


@cache
def frozen_sets() -> dict[str, tuple[Case, tuple[str, ...]]]:
    """Each set of operands that a gradient may be asked by, none of them too, with a bias and without."""
    found = {}
    for width, sizes in _WIDTHS.items():
        for bias in (True, False):
            case = weighted_case(PROBE, exact=True, widths=sizes, bias=bias)
            names = [name for name in ALL_GRADIENTS if bias or name != "db"]
            sets = chain.from_iterable(combinations(names, count) for count in range(len(names) + 1))
            for wanted in sets:
                label = (
                    f"{width}{'' if bias else ', no bias'}, gradients by {' + '.join(wanted) or 'nothing'}"
                )
                found[label] = case, wanted
    return found


@check(
    tier="standard",
    catches=("F08",),
    fix="Which path is taken, or what the backward pass does, depends on which operands require a gradient, and is "
    "wrong for the sets that are named: look at ctx.needs_input_grad, and at what is kept where edge weights are "
    "constants.",
)
def test_frozen(
    weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence, run_tier: Tier
) -> None:
    """Whichever of x, W, b and the edge weights are frozen, result and the other gradients are the same. Bit for bit."""
    sets = frozen_sets()
    cases = {label: case for label, (case, _) in sets.items()}
    judging = Judging()
    for label in thinned(cases, weighted_backend, run_tier, every=47, full=5):
        with judging(label):
            case, wanted = sets[label]
            layer = bind_weighted(weighted_backend, case.graph, device)
            judging.found[label] = comparisons(layer, case, device, wanted)
    judge_variants(evidence, weighted_backend, judging.end())


Layout = Callable[[Tensor], Tensor]


def column_of_three(weight: Tensor) -> Tensor:
    """One column of `[E, 3]`: one head of several."""
    heads = torch.full((weight.shape[0], 3), torch.nan, device=weight.device)
    heads[:, 1] = weight
    return heads[:, 1]


def unaligned(weight: Tensor) -> Tensor:
    """A slice of a buffer, aligned to no more than its 4 bytes."""
    buffer = torch.full((weight.shape[0] + 3,), torch.nan, device=weight.device)
    buffer[1:-2] = weight
    return buffer[1:-2]


def one_for_all(weight: Tensor) -> Tensor:
    """The first one for all, with a stride of 0."""
    return weight[:1].expand_as(weight)


#: Where edge weights stand in memory; of these, `one_for_all` asks for a graph whose weights are all the same.
LAYOUTS: dict[str, tuple[str, Layout]] = {
    "edge weights as every other entry": (PROBE, lambda weight: every_other(weight[:, None])[:, 0]),
    "edge weights as a column of three": (PROBE, column_of_three),
    "edge weights unaligned": (PROBE, unaligned),
    "edge weights of stride 0": ("exact_plain", one_for_all),
}


@cache
def view_cases() -> dict[str, Case]:
    """The case of each layout, of edge weights first, then of each other operand."""
    found = {label: weighted_case(probe, exact=True) for label, (probe, _) in LAYOUTS.items()}
    case = weighted_case(PROBE, exact=True)
    return found | {
        label: make_case(case.graph, form(case.inputs.to("cpu")).to("cpu"), exact=True)
        for label, form in forms().items()
    }


@check(
    tier="standard",
    fix="The layer, or a kernel beneath it, takes edge weights or other operands to be contiguous or aligned: call "
    ".contiguous(), or obey the strides, also that of 0 which expand() has, in both passes.",
)
def test_views(
    weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence, run_tier: Tier
) -> None:
    """Edge weights, and all other operands, as views: spaced out, unaligned, expanded, slices. Bit for bit."""
    judging = Judging()
    for label, case in thinned(view_cases(), weighted_backend, run_tier, every=22, full=5).items():
        with judging(label):
            inputs, edge_weight = case.inputs.to(device), weights(case, device)
            if label in LAYOUTS:
                edge_weight = LAYOUTS[label][1](edge_weight)
            else:
                inputs = forms()[label](inputs)
            layer = bind_weighted(weighted_backend, case.graph, device)
            judging.found[label] = compare_weighted(
                case, *evaluate_weighted(layer, inputs, edge_weight), device
            )
    judge_variants(evidence, weighted_backend, judging.end())


@cache
def sizes() -> dict[str, Case]:
    """Few edges and none; losses over some nodes; sizes and widths around the tiles of kernels."""
    few = {}
    for name in _FEW:
        case = bounded_case(name)
        graph = Graph(case.graph.edge_index, case.graph.num_nodes, case.graph.weights())
        few[name] = make_case(graph, case.inputs, exact=False)
    masked = {f"loss over some nodes, {i}": case for i, case in enumerate(masked_cases())}
    return few | masked | node_counts() | widths()


@check(
    tier="standard",
    catches=("F04", "F08", "F16", "F24"),
    fix="The layer, or the kernel of its gradient by edge weights (a dot product an edge), is wrong for the sizes "
    "that are named: no edges, one edge, or a last, partly filled tile.",
)
def test_sizes(
    weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence, run_tier: Tier
) -> None:
    """No edges, one, a few; 1 to 1,025 nodes; widths of 1 to 65; losses over some nodes: all gradients are right."""
    cases = thinned(sizes(), weighted_backend, run_tier, every=48, full=5)
    judge_variants(evidence, weighted_backend, run_weighted(weighted_backend, cases, device))


@check(
    tier="standard",
    catches=("F07", "F12", "F22"),
    fix="The layer is wrong for graphs of this size, or for this order of edges: gradients by edge weights must come "
    "in the order in which the edges stand, whatever was sorted within.",
)
@pytest.mark.parametrize("order", MANY)
def test_many_edges(
    weighted_backend: WeightedBackend, order: str, device: torch.device, evidence: Evidence
) -> None:
    """Tens of thousands of edges with real weights, sorted by either end or not: within the error bounds."""
    case = many_edges(order)
    layer = bind_weighted(weighted_backend, case.graph, device)
    judge(evidence, weighted_backend, comparisons(layer, case, device))


@check(
    tier="standard",
    catches=("F17",),
    fix="Weights that are all the same are taken for none. They weigh against the self-loop, which is always 1, and "
    "each has a gradient of its own.",
)
def test_equal_weights(weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence) -> None:
    """Edge weights that are all 3, all 1/4, all 0: not the unweighted layer. Bit for bit, gradients too."""
    judge_variants(evidence, weighted_backend, run_weighted(weighted_backend, equal_weights(), device))


@cache
def float64_case() -> Case:
    """Whole numbers with 2^-30 added: more bits than float32 has, and all of them exact in float64."""
    graph = weighted_case(PROBE, exact=True).graph
    inputs = exact_inputs(graph.num_nodes).to("cpu", torch.float64)
    return make_case(graph, replace(inputs, x=inputs.x + 2.0**-30), exact=False)


@check(
    tier="standard",
    fix="A layer bound in float64 computes in float32 somewhere: look for .float() and defaults, in the "
    "normalisation and in the gradient by edge weights.",
)
def test_float64(weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence) -> None:
    """Bound in float64, the layer keeps what float32 would lose, in the gradient by edge weights too."""
    case = float64_case()
    layer = bind_weighted(weighted_backend, case.graph, device, dtype=torch.float64)
    found, by_edge_weight = evaluate_weighted(layer, case.inputs.to(device), weights(case, device).double())
    assert exact_in_float64(case)
    exact = inverse_powers_are_exact(device, torch.float64)
    evidence.fact("exact", exact)
    compared: list[Comparison] = [
        case.exact_in(name, getattr(found, name), device) for name in ("forward", *GRADIENTS)
    ]
    compared.append(
        compare_edge_weights(by_edge_weight, case.oracle, exact=exact, device=device, dtype=torch.float64)
    )
    judge(evidence, weighted_backend, compared)


@cache
def magnitudes() -> dict[str, Case]:
    """Weights times powers of 4, whose degrees to the power -3/2 float32 still holds."""
    found = {}
    for power in (-30, -15, 15, 30):
        case = weighted_case(PROBE, "none", exact=True)
        graph = Graph(case.graph.edge_index, case.graph.num_nodes, case.graph.weights() * 4.0**power)
        found[f"edge weights times 4^{power}"] = make_case(graph, case.inputs, exact=True, self_loops="none")
    return found


@check(
    tier="standard",
    catches=("F20",),
    fix="Something is added to the degrees, or cuts them off: an epsilon, a clamp. Where the degree is 0, write 0 "
    "instead.",
)
def test_weight_scaling(weighted_backend: WeightedBackend, device: torch.device, evidence: Evidence) -> None:
    """Without self-loops, weights times a constant change nothing but their own gradient, which is divided by it."""
    judging = Judging()
    for label, case in magnitudes().items():
        with judging(label):
            layer = bind_weighted(weighted_backend, case.graph, device, "none")
            found, by_edge_weight = evaluate_weighted(layer, case.inputs.to(device), weights(case, device))
            judging.found[label] = [
                *case.compare(found, device),
                # Within its bound: that pow(-1.5) is exact is known of small degrees only.
                compare_edge_weights(by_edge_weight, case.oracle, device=device),
            ]
    judge_variants(evidence, weighted_backend, judging.end())
