"""A layer keeps nothing from one call that changes another, and leaves its operands as they were."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gnnbench.checks import Evidence, check, fail
from gnnbench.graphs import Graph
from gnnbench.numerics import GRADIENTS, QUANTITIES, LayerInputs, LayerResult, Quantity, evaluate
from gnnbench.reference import Backend

from .cases import Case, bind, exact_case, judge, make_case

PROBE, OTHER = "exact_plain", "exact_multigraph"


@check(fix="An operation works in place on what the caller still owns: use its out-of-place form.")
def test_operands_unchanged(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Neither bind, nor the forward pass, nor the backward pass changes graph or operands."""
    case = exact_case("exact_weighted")
    graph = Graph(
        case.graph.edge_index.to(device, copy=True),
        case.graph.num_nodes,
        case.graph.weights().to(device, copy=True),
    )
    inputs = case.inputs.to(device)
    evaluate(bind(backend, graph, device, copy=False), inputs)
    before = {
        "edge_index": (case.graph.edge_index, graph.edge_index),
        "edge_weight": (case.graph.weights(), graph.weights()),
        "x": (case.inputs.x, inputs.x),
        "weight": (case.inputs.weight, inputs.weight),
        "bias": (case.inputs.bias, inputs.bias),
        "upstream": (case.inputs.upstream, inputs.upstream),
    }
    changed = [name for name, (right, now) in before.items() if not _same(right, now)]
    if changed:
        fail(
            f"{backend.name}: {', '.join(changed)} changed by the layer",
            expected="operands as they were before the call",
            found=f"{', '.join(changed)} with other values",
        )


@check(
    catches=("F21",),
    fix="Something of the first graph is cached under too small a key: its shape, or nothing at all.",
)
def test_second_graph(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Three graphs, two of the same size, and the first again: each gets its own answer."""
    first = exact_case(PROBE)
    cases = (first, relabelled(first), exact_case(OTHER))
    layers = [bind(backend, case.graph, device) for case in cases]
    comparisons = []
    for i in (0, 1, 2, 0):
        found = evaluate(layers[i], cases[i].inputs.to(device))
        comparisons += cases[i].compare(found, device)
    judge(evidence, backend, comparisons)


@check(
    fix="A result, or what is saved for the backward pass, lives in a buffer that the next call overwrites."
)
def test_second_call(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Two calls of one layer, forward, forward, backward, backward, do not touch each other's results."""
    cases = (exact_case(PROBE), exact_case(PROBE, seed=1))
    layer = bind(backend, cases[0].graph, device)
    operands = [_differentiable(case.inputs.to(device)) for case in cases]
    outs = [layer(inputs.x, inputs.weight, inputs.bias) for inputs in operands]
    found = []
    for out, inputs in zip(outs, operands, strict=True):
        leaves = [leaf for leaf in (inputs.x, inputs.weight, inputs.bias) if leaf is not None]
        found.append(torch.autograd.grad(out, leaves, inputs.upstream, allow_unused=True))
    comparisons = []
    for case, out, gradients in zip(cases, outs, found, strict=True):
        named: dict[Quantity, Tensor | None] = dict(zip(GRADIENTS, gradients, strict=True))
        comparisons += case.compare(LayerResult(forward=out.detach(), **named), device, QUANTITIES)
    judge(evidence, backend, comparisons)


def _same(right: Tensor | None, now: Tensor | None) -> bool:
    return right is now is None or (right is not None and now is not None and torch.equal(right, now.cpu()))


def relabelled(case: Case, seed: int = 0) -> Case:
    """The same graph with its nodes renamed: as many nodes, edges and neighbours, and another answer."""
    order = torch.randperm(case.graph.num_nodes, generator=torch.Generator().manual_seed(seed))
    graph = Graph(order[case.graph.edge_index], case.graph.num_nodes, case.graph.edge_weight)
    return make_case(graph, case.inputs, exact=True)


def _differentiable(inputs: LayerInputs) -> LayerInputs:
    bias = None if inputs.bias is None else inputs.bias.requires_grad_()
    return replace(inputs, x=inputs.x.requires_grad_(), weight=inputs.weight.requires_grad_(), bias=bias)
