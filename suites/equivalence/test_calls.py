"""Several calls of one layer, and of layers that share their edges: what is kept from one must not reach another.

All exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor
from torch.nn import Parameter

from gnnbench.checks import Evidence, check
from gnnbench.graphs import Graph, SelfLoops
from gnnbench.numerics import GRADIENTS, Comparison, LayerResult, Quantity, evaluate
from gnnbench.reference import Backend, compiles

from .cases import Case, bind, exact_case, judge, make_case
from .test_state import relabelled

PROBE = "exact_plain"


@check(fix="A result or an operand is kept from one call to the next, under its address or its shape.")
def test_changed_operands(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Operands that change in place between calls, as an optimizer changes weights, are read anew each time."""
    comparisons: list[Comparison] = []
    # As tensors, as a module has them, for what is packed for a Parameter may be packed for good, and as results of
    # something else, as normalised weights are.
    for kind in (torch.Tensor.requires_grad_, Parameter, _derived):
        comparisons += _changing(backend, device, kind)
    judge(evidence, backend, comparisons)


def _derived(values: Tensor) -> Tensor:
    return values.clone().requires_grad_() * 1


def _changing(backend: Backend, device: torch.device, kind: Callable[[Tensor], Tensor]) -> list[Comparison]:
    cases = (exact_case(PROBE), exact_case(PROBE, seed=1))
    layer = bind(backend, cases[0].graph, device)
    inputs = cases[0].inputs.to(device)
    assert inputs.bias is not None
    inputs = replace(inputs, weight=kind(inputs.weight), bias=kind(inputs.bias))
    leaves = [leaf for leaf in (inputs.weight, inputs.bias) if leaf is not None]
    comparisons: list[Comparison] = []
    for case in (cases[0], cases[1], cases[0]):
        with torch.no_grad():
            for name in ("x", "weight", "bias", "upstream"):
                getattr(inputs, name).copy_(getattr(case.inputs, name))
            evaluated = layer(inputs.x, inputs.weight, inputs.bias)
        comparisons += case.compare(LayerResult(forward=evaluated), device, ["forward"])
        out = layer(inputs.x, inputs.weight, inputs.bias)
        dw, db = torch.autograd.grad(out, leaves, inputs.upstream)
        comparisons += case.compare(
            LayerResult(forward=out.detach(), dW=dw, db=db), device, ["forward", "dW", "db"]
        )
    return comparisons


@check(tier="standard", fix="Two results without gradients share a buffer, or one is kept for the other.")
def test_two_results(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Two evaluations of one layer on other operands are both right, looked at after both."""
    cases = (exact_case(PROBE), exact_case(PROBE, seed=1))
    layer = bind(backend, cases[0].graph, device)
    with torch.no_grad():
        outs = [layer(one.x, one.weight, one.bias) for one in (case.inputs.to(device) for case in cases)]
    comparisons = []
    for case, out in zip(cases, outs, strict=True):
        comparisons += case.compare(LayerResult(forward=out), device, ["forward"])
    judge(evidence, backend, comparisons)


def calls_in_turn() -> list[Case]:
    """One graph at several widths, with a bias and without, as the layers of a model share it."""
    sizes = (((16, 8), True), ((8, 16), True), ((16, 1), False), ((16, 8), False))
    return [exact_case(PROBE, widths=widths, bias=bias) for widths, bias in sizes]


#: Layers that live at once, and calls of one: past rings and tables of 2, 4, 8, 16 and 32 entries.
_CROWD = 34


@cache
def crowd() -> tuple[Case, ...]:
    """Graphs of one size, alike in everything that a small key can hold; then one graph again and again."""
    graphs = (relabelled(exact_case(PROBE), seed) for seed in range(1, _CROWD))
    return (*graphs, *(exact_case(PROBE, seed=seed) for seed in range(1, _CROWD)))


@check(
    tier="standard",
    catches=("F21",),
    fix="What is kept for the backward pass is kept once, not once a call: save it in ctx, not in the layer. Where two "
    "or three layers are right and these are not, it is a table or a ring of buffers with too few entries.",
)
def test_interleaved(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Layers of many graphs and other widths are bound, run forward one after the other, and backward in that order."""
    # Some of the same size among them, for sizes are what buffers are kept by.
    others = [relabelled(exact_case(PROBE)), exact_case("exact_multigraph")]
    # Compiled layers cost a compilation each.
    many = () if compiles(backend) else crowd()
    calls = [*calls_in_turn(), *others, exact_case(PROBE), *many]
    layers = {id(case.graph): bind(backend, case.graph, device) for case in calls}
    pending = []
    for case in calls:
        inputs = case.inputs.to(device)
        leaves = [one.requires_grad_() for one in (inputs.x, inputs.weight, inputs.bias) if one is not None]
        out = layers[id(case.graph)](inputs.x, inputs.weight, inputs.bias)
        pending.append((case, inputs, leaves, out))
    comparisons = []
    for case, inputs, leaves, out in pending:
        found = torch.autograd.grad(out, leaves, inputs.upstream, allow_unused=True)
        named: dict[Quantity, Tensor | None] = dict(zip(GRADIENTS, found, strict=False))
        comparisons += case.compare(LayerResult(forward=out.detach(), **named), device)
    judge(evidence, backend, comparisons)


@check(
    catches=("F08",),
    fix="The backward pass spoils or adds to what the first one left: nothing in ctx may change.",
)
def test_backward_twice(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """One graph differentiated twice gives the gradients of each upstream, and `.backward()` adds them up."""
    case = exact_case(PROBE)
    twice = make_case(case.graph, replace(case.inputs, upstream=2 * case.inputs.upstream), exact=True)
    layer = bind(backend, case.graph, device)
    inputs = case.inputs.to(device)
    leaves = [one.requires_grad_() for one in (inputs.x, inputs.weight, inputs.bias) if one is not None]
    out = layer(inputs.x, inputs.weight, inputs.bias)
    comparisons = []
    for one in (case, twice):
        try:
            found = torch.autograd.grad(out, leaves, one.inputs.upstream.to(device), retain_graph=True)
        except RuntimeError as error:
            # Inductor gives away what it saved, and says so: its graphs can be differentiated once.
            if "donated buffer" not in str(error):
                raise
            evidence.fact("differentiated_twice", "refused by torch.compile")
            break
        named: dict[Quantity, Tensor | None] = dict(zip(GRADIENTS, found, strict=True))
        comparisons += one.compare(LayerResult(forward=out.detach(), **named), device)
    for _ in range(2):
        again = layer(inputs.x, inputs.weight, inputs.bias)
        torch.autograd.backward(again, inputs.upstream)
    added: dict[Quantity, Tensor | None] = {
        name: leaf.grad for name, leaf in zip(GRADIENTS, leaves, strict=True)
    }
    comparisons += twice.compare(LayerResult(forward=out.detach(), **added), device, GRADIENTS)
    judge(evidence, backend, comparisons)


@check(
    tier="standard",
    catches=("F21",),
    fix="What was made of a graph is kept under its edges alone, or its address: weights and loops belong to the key.",
)
def test_same_edges(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """The same edges with other weights, without, and with each convention of loops: each gets its own answer."""
    plain = exact_case("exact_weighted")
    weighted = plain.graph
    # 1/2 and 3/2 in each other's place: every pair weighs the same, and every message another.
    other = Graph(weighted.edge_index, weighted.num_nodes, 2 - weighted.weights())
    swapped, bare = make_case(other, plain.inputs, exact=True), exact_case(PROBE)
    turns: list[tuple[Case, SelfLoops]] = [(plain, "add"), (swapped, "add"), (plain, "add")]
    turns += [(bare, "add"), (loops_case("none"), "none"), (bare, "add")]
    edges: dict[int, Tensor] = {}
    comparisons = []
    for case, self_loops in turns:
        # One and the same tensor each time, for it may be what a cache is keyed by.
        shared = edges.setdefault(id(case.graph.edge_index), case.graph.edge_index.to(device))
        graph = Graph(shared, case.graph.num_nodes, _on(case.graph.edge_weight, device))
        layer = bind(backend, graph, device, self_loops, copy=False)
        comparisons += case.compare(evaluate(layer, case.inputs.to(device)), device)
    judge(evidence, backend, comparisons)


@cache
def loops_case(self_loops: SelfLoops) -> Case:
    """The plain probe under another convention, within its bound: its degrees are powers of 4 under `add` alone."""
    case = exact_case(PROBE)
    return make_case(case.graph, case.inputs, exact=False, self_loops=self_loops)


def _on(weight: Tensor | None, device: torch.device) -> Tensor | None:
    return None if weight is None else weight.to(device)
