"""Known ways of getting the whole layer wrong, each as the result it would give.

A failed comparison is put to them one by one: the one whose result was found, within the rounding it would
have itself, is the likely cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.numerics.adjacency import (
    Adjacency,
    in_degrees,
    inverse_root,
    looped_edges,
    normalised_adjacency,
)
from gnnbench.numerics.oracle import Oracle
from gnnbench.numerics.rounding import round_significand


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A fault in words, and the layer as it would be with it."""

    cause: str
    result: Callable[[Oracle], Oracle]


def _propagating(build: Callable[[Oracle], Adjacency]) -> Callable[[Oracle], Oracle]:
    return lambda oracle: oracle.under(build(oracle))


def _on_graph(
    change: Callable[[Graph], Graph], self_loops: SelfLoops | None = None
) -> Callable[[Oracle], Oracle]:
    return _propagating(
        lambda oracle: normalised_adjacency(change(oracle.graph), self_loops or oracle.self_loops)
    )


@dataclass(frozen=True, slots=True)
class _Edges:
    """The edges of Ã, and the degree of each node."""

    source: Tensor
    target: Tensor
    weight: Tensor
    degree: Tensor


def _normalised(values: Callable[[_Edges], Tensor]) -> Callable[[Oracle], Oracle]:
    """With `values(edges)` for the entries of Â."""

    def build(oracle: Oracle) -> Adjacency:
        num_nodes = oracle.graph.num_nodes
        source, target, weight = looped_edges(oracle.graph, oracle.self_loops)
        degree = in_degrees(target, weight, num_nodes)
        return Adjacency(source, target, values(_Edges(source, target, weight, degree)), num_nodes)

    return _propagating(build)


def _symmetric(degree: Callable[[Tensor], Tensor], bits: int = 53) -> Callable[[Oracle], Oracle]:
    """With a spoilt degree, and d^-1/2 rounded to `bits`."""

    def values(edges: _Edges) -> Tensor:
        scale = round_significand(inverse_root(degree(edges.degree)), bits)
        return scale[edges.target] * edges.weight * scale[edges.source]

    return _normalised(values)


def _unlooped_degrees(oracle: Oracle) -> Adjacency:
    source, target, weight = looped_edges(oracle.graph, oracle.self_loops)
    _, bare_target, bare_weight = looped_edges(oracle.graph, "none")
    num_nodes = oracle.graph.num_nodes
    scale = inverse_root(in_degrees(bare_target, bare_weight, num_nodes))
    return Adjacency(source, target, scale[target] * weight * scale[source], num_nodes)


def _out_degrees(oracle: Oracle) -> Adjacency:
    source, target, weight = looped_edges(oracle.graph, oracle.self_loops)
    scale = inverse_root(in_degrees(source, weight, oracle.graph.num_nodes))
    return Adjacency(source, target, scale[target] * weight * scale[source], oracle.graph.num_nodes)


def _once(keep: Literal["amin", "amax"]) -> Callable[[Graph], Graph]:
    """Of duplicate edges the first, or the last."""

    def change(graph: Graph) -> Graph:
        edges, group = torch.unique(graph.edge_index.cpu(), dim=1, return_inverse=True)
        kept = torch.zeros(edges.shape[1], dtype=torch.int64).scatter_reduce_(
            0, group, torch.arange(graph.num_edges), keep, include_self=False
        )
        weight = None if graph.edge_weight is None else graph.edge_weight.detach().cpu()[kept]
        return Graph(edges, graph.num_nodes, weight)

    return change


def _looped(graph: Graph) -> Graph:
    """A + I as a graph, as those see it who assign where they should add."""
    source, target, weight = looped_edges(graph, "add")
    return Graph(torch.stack([source, target]), graph.num_nodes, weight)


def _rounded_inputs(bits: int) -> Callable[[Oracle], Oracle]:
    def result(oracle: Oracle) -> Oracle:
        x, weight = oracle.inputs.x, oracle.inputs.weight
        return oracle.under(x=round_significand(x, bits), weight=round_significand(weight, bits))

    return result


def _bias_propagated(oracle: Oracle) -> Oracle:
    bias = oracle.inputs.bias
    messages = oracle.inputs.x @ oracle.inputs.weight
    return oracle if bias is None else replace(oracle, forward=oracle.adjacency @ (messages + bias))


def _with_bias(factor: float) -> Callable[[Oracle], Oracle]:
    return lambda oracle: (
        oracle if oracle.inputs.bias is None else oracle.under(bias=oracle.inputs.bias * factor)
    )


#: Edges the wrong way round. On the smallest graphs other faults look like it, of which this is the commonest.
TRANSPOSED: tuple[Hypothesis, ...] = (
    Hypothesis(
        "transposed: the edges are followed from target to source",
        _on_graph(Graph.reversed),
    ),
    Hypothesis(
        "transposed: the transpose of Â is multiplied in place of Â, or Â in place of its transpose in the backward "
        "pass",
        _propagating(lambda oracle: oracle.adjacency.transpose),
    ),
)

#: Most likely first: the first that fits is named.
HYPOTHESES: tuple[Hypothesis, ...] = (
    Hypothesis("the bias is not added", _with_bias(0)),
    Hypothesis("self-loops are missing: A in place of A + I", _on_graph(lambda g: g, "none")),
    Hypothesis(
        "self-loops that were there are kept and none is added (add_remaining in place of A + I)",
        _on_graph(lambda g: g, "add_remaining"),
    ),
    Hypothesis(
        "a self-loop is added to nodes that had one (A + I in place of add_remaining)",
        _on_graph(lambda g: g, "add"),
    ),
    Hypothesis("duplicate edges count once, the last of them", _on_graph(_once("amax"))),
    Hypothesis("duplicate edges count once, the first of them", _on_graph(_once("amin"))),
    Hypothesis(
        "duplicate edges count once, and so does a self-loop that is there with the one that is added",
        _on_graph(lambda g: _once("amax")(_looped(g)), "none"),
    ),
    Hypothesis("edge weights are ignored", _on_graph(lambda g: Graph(g.edge_index, g.num_nodes))),
    Hypothesis(
        "row-normalised: D^-1 A in place of D^-1/2 A D^-1/2",
        _normalised(lambda e: e.weight / e.degree[e.target]),
    ),
    Hypothesis(
        "column-normalised: A D^-1 in place of D^-1/2 A D^-1/2",
        _normalised(lambda e: e.weight / e.degree[e.source]),
    ),
    Hypothesis("not normalised: A in place of D^-1/2 A D^-1/2", _normalised(lambda e: e.weight)),
    Hypothesis("degrees are counted without the self-loop", _propagating(_unlooped_degrees)),
    Hypothesis("degrees are one too small", _symmetric(lambda d: d - 1)),
    Hypothesis("degrees are one too large", _symmetric(lambda d: d + 1)),
    Hypothesis("out-degrees in place of in-degrees", _propagating(_out_degrees)),
    Hypothesis(
        "degrees stop growing at 256: they are counted in bfloat16", _symmetric(lambda d: d.clamp_max(256))
    ),
    Hypothesis(
        "degrees are counted in bfloat16 and so is their inverse root",
        _symmetric(lambda d: d.clamp_max(256), bits=8),
    ),
    Hypothesis(
        "degrees stop growing at 2048: they are counted in float16", _symmetric(lambda d: d.clamp_max(2048))
    ),
    Hypothesis("the bias is added twice", _with_bias(2)),
    Hypothesis("the bias is propagated along the edges: Â(XW + b)", _bias_propagated),
    Hypothesis(
        "X and W are rounded to 11 significant bits before they are multiplied: TF32 or float16",
        _rounded_inputs(11),
    ),
    Hypothesis(
        "X and W are rounded to 8 significant bits before they are multiplied: bfloat16", _rounded_inputs(8)
    ),
    Hypothesis(
        "the gradient from above is taken to be ones",
        lambda oracle: oracle.under(upstream=torch.ones_like(oracle.inputs.upstream)),
    ),
)


def alternatives(
    oracle: Oracle, hypotheses: Iterable[Hypothesis] = HYPOTHESES
) -> Iterator[tuple[str, Oracle]]:
    """Each hypothesis that is possible on this graph, with what the layer would give under it."""
    for hypothesis in hypotheses:
        try:
            yield hypothesis.cause, hypothesis.result(oracle)
        except ValueError:
            # No such layer: an inverse root of a degree below 0, or a number that is not finite.
            continue
