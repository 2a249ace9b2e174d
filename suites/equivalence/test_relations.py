"""What must hold between the answers to a problem and to the same problem put otherwise. Bit for bit.

All operands are whole numbers, so nothing rounds, and a relation is judged without
any tolerance: each variant against the oracle of the variant, which obeys the relation (`tests/` shows that it
does), so that two answers that are wrong alike do not pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch

from gnnbench.checks import Evidence, check, fail
from gnnbench.graphs import Graph, balanced_exact_graph, disjoint_union, sized_exact_graph
from gnnbench.numerics import LayerResult, compare_exact, evaluate, exact_inputs
from gnnbench.reference import Backend

from .cases import Case, bind, exact_case, make_case
from .variants import judge_variants, run_cases, run_graphs

WEIGHTED = "exact_weighted"


def reordered(graph: Graph, order: torch.Tensor) -> Graph:
    """The same graph, its edges in another order."""
    weight = None if graph.edge_weight is None else graph.edge_weight[order]
    return Graph(graph.edge_index[:, order], graph.num_nodes, weight)


def edge_orders(graph: Graph) -> dict[str, Graph]:
    """The same graph in each order that somebody may rely on."""
    by_source = graph.source.argsort(stable=True)
    by_target = graph.target.argsort(stable=True)
    orders = {
        "edges reversed": torch.arange(graph.num_edges).flip(0),
        "edges sorted by source": by_source,
        "edges sorted by target": by_target,
        "edges sorted by target, then source": by_source[graph.target[by_source].argsort(stable=True)],
        "edges sorted by target, last node first": by_target.flip(0),
    }
    return {name: reordered(graph, order) for name, order in orders.items()}


@check(
    tier="standard",
    catches=("F06", "F07", "F12"),
    fix="The backend, or a kernel beneath it, relies on an order of the edges, or takes another way where they "
    "are sorted and goes wrong there: sort a copy, or mend that way.",
)
def test_edge_order(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """The order in which edges are listed makes no difference: sorted by either end, reversed."""
    case = exact_case(WEIGHTED)
    graphs = {name: graph.to(device) for name, graph in edge_orders(case.graph).items()}
    judge_variants(evidence, backend, run_graphs(backend, case, graphs, device))


def edge_storages(graph: Graph) -> dict[str, Graph]:
    """The same edges and weights in memory as slices and transposes lay them out."""
    index, weight = graph.edge_index, graph.weights()
    wide = torch.full((2, 2 * graph.num_edges + 1), -1, dtype=index.dtype, device=index.device)
    wide[:, 1::2] = index
    spaced = torch.full((2 * graph.num_edges + 1,), torch.nan, device=index.device)
    spaced[1::2] = weight
    pairs = index.t().contiguous().t()
    # Contiguous, and aligned to one number only.
    behind = torch.cat([index.new_zeros(1), index.flatten()])[1:].view_as(index)
    weight_behind = torch.cat([weight.new_zeros(1), weight])[1:]
    return {
        "edge_index as the transpose of [E, 2]": Graph(pairs, graph.num_nodes, weight),
        "edge_index as every other column": Graph(wide[:, 1::2], graph.num_nodes, weight),
        "weights as every other entry": Graph(index, graph.num_nodes, spaced[1::2]),
        "edge_index behind another number": Graph(behind, graph.num_nodes, weight),
        "weights behind another number": Graph(index, graph.num_nodes, weight_behind),
    }


@check(
    tier="standard",
    fix="The backend hands edge_index or the weights on by address: call .contiguous(), or obey the strides.",
)
def test_edge_storage(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Edges and weights that are not contiguous give the same result, weights of stride 0 too."""
    case, plain = exact_case(WEIGHTED), exact_case("exact_plain")
    found = run_graphs(backend, case, edge_storages(case.graph.to(device)), device)
    ones = torch.ones(1, device=device).expand(plain.graph.num_edges)
    graph = Graph(plain.graph.edge_index.to(device), plain.graph.num_nodes, ones)
    found |= run_graphs(backend, plain, {"weights of stride 0": graph}, device)
    judge_variants(evidence, backend, found)


def relabelled(case: Case, order: torch.Tensor) -> Case:
    """`case` with node i renamed `order[i]`, operands and all."""
    graph, inputs = case.graph, case.inputs
    old = order.argsort()
    return make_case(
        Graph(order[graph.edge_index], graph.num_nodes, graph.edge_weight),
        replace(inputs, x=inputs.x[old], upstream=inputs.upstream[old]),
        exact=True,
    )


@cache
def node_orders() -> dict[str, Case]:
    case = exact_case(WEIGHTED)
    graph = case.graph
    rank = graph.in_degree().argsort(stable=True).argsort()
    spoken = graph.reversed().in_degree().argsort(stable=True).argsort()
    return {
        "nodes reversed": relabelled(case, torch.arange(graph.num_nodes).flip(0)),
        "hubs last": relabelled(case, rank),
        "hubs first": relabelled(case, graph.num_nodes - 1 - rank),
        "loudest last": relabelled(case, spoken),
        "loudest first": relabelled(case, graph.num_nodes - 1 - spoken),
    }


@check(
    tier="standard",
    catches=("F04", "F19"),
    fix="The answer for a node depends on its number: look at the first and last rows, and at how long and short "
    "rows are dealt out.",
)
def test_node_order(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Renaming the nodes renames the rows: hubs at either end, silent nodes at either end."""
    judge_variants(evidence, backend, run_cases(backend, node_orders(), device))


def in_batch(name: str, graphs: list[Graph]) -> Case:
    """One batch of `graphs` with operands of its own."""
    union = disjoint_union(graphs)
    return make_case(union, exact_inputs(union.num_nodes, seed=len(name)), exact=True)


@cache
def batches() -> dict[str, Case]:
    ring, other = balanced_exact_graph((24,)), sized_exact_graph(33)
    lone, silent = Graph(torch.empty(2, 0, dtype=torch.int64), 1), sized_exact_graph(1)
    batches = {
        "one graph, connected": [ring],
        "one graph of one node": [lone],
        "two graphs": [ring, other],
        "twice the same graph": [ring, ring],
        "a graph between nodes without edges": [lone, ring, silent],
        "five graphs": [other, lone, ring, sized_exact_graph(2), sized_exact_graph(64)],
        "33 graphs": [ring, sized_exact_graph(3), lone] * 11,
    }
    return {name: in_batch(name, graphs) for name, graphs in batches.items()}


@check(
    tier="standard",
    catches=("F16", "F21"),
    fix="The backend is right for several graphs in a batch and wrong for one, or the other way round: look at "
    "dimensions of size 1, and at the offsets between the graphs.",
)
def test_batch(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Graphs in one batch, side by side without an edge between them, give what each gives alone."""
    judge_variants(evidence, backend, run_cases(backend, batches(), device))


@check(
    catches=("F08", "F19"),
    fix="The backward pass multiplies by Â where it must by its transpose, or the forward pass does: edges run "
    "source → target, and gradients back.",
)
def test_transposition(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """The backward pass on a directed graph is the forward pass on the graph with every edge turned around."""
    graph = balanced_exact_graph()
    inputs = exact_inputs(graph.num_nodes, 8, 8, bias=False)
    inputs = replace(inputs, weight=torch.eye(8))
    case = make_case(graph, inputs, exact=True)
    # Every node hears as much as it speaks, so the degrees are the same and Â of the reversed graph is Âᵀ.
    back = make_case(graph.reversed(), replace(inputs, x=inputs.upstream, upstream=inputs.x), exact=True)
    forth = evaluate(bind(backend, graph, device), case.inputs.to(device))
    turned = evaluate(bind(backend, back.graph, device), back.inputs.to(device))
    judge_variants(
        evidence,
        backend,
        {
            "forward": case.compare(forth, device, ["forward"]),
            "backward": case.compare(forth, device, ["dX"]),
            "forward on the reversed graph": back.compare(turned, device, ["forward"]),
            "backward on the reversed graph": back.compare(turned, device, ["dX"]),
            "backward against forward on the reversed graph": [
                compare_exact("forward", forth.dX, back.oracle, device=device),
                compare_exact("forward", turned.dX, case.oracle, device=device),
            ],
        },
        cause="the backward pass propagates along the edges instead of against them",
    )


@check(
    tier="standard",
    fix="A gradient is written where x lies in memory instead of being handed back: obey the strides of both.",
)
def test_gradient_through_views(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Where x is a view, what lies beneath it gets the gradient: one row for all nodes, a window, a transpose."""
    case = exact_case(WEIGHTED)
    views: dict[str, tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]] = {
        "one row for all nodes": (case.inputs.x[:1], lambda leaf: leaf.expand(case.graph.num_nodes, -1)),
        "a window": (
            torch.nn.functional.pad(case.inputs.x, (1, 2, 3, 1)),
            lambda leaf: leaf[3:-1, 1:-2],
        ),
        "a transpose": (case.inputs.x.t().contiguous(), lambda leaf: leaf.t()),
    }
    found = {}
    for label, (values, view) in views.items():
        seen = make_case(case.graph, replace(case.inputs, x=view(values)), exact=True)
        inputs = case.inputs.to(device)
        leaf = values.to(device, copy=True).requires_grad_()
        x = view(leaf)
        out = bind(backend, case.graph, device)(x, inputs.weight, inputs.bias)
        by_x, by_leaf = torch.autograd.grad(out, (x, leaf), inputs.upstream)
        found[label] = seen.compare(LayerResult(forward=out.detach(), dX=by_x), device, ["dX"])
        again = leaf.detach().requires_grad_()
        (gathered,) = torch.autograd.grad(view(again), again, by_x)
        if not torch.equal(by_leaf, gathered):
            fail(
                f"{backend.name}: the gradient through {label} is not what the gradient by x adds up to",
                expected="the gradient by x, gathered as the view lays it out, bit for bit",
                found="other numbers",
            )
    judge_variants(evidence, backend, found)
