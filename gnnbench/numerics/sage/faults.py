"""Known ways of getting a GraphSAGE layer wrong, each as the result it would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gnnbench.numerics.adjacency import Adjacency
from gnnbench.numerics.rounding import round_significand
from gnnbench.numerics.sage.oracle import SageOracle, mean_matrix

Fault = Callable[[SageOracle], SageOracle]


def _edges(change: Callable[[Adjacency], tuple[Tensor, Tensor]]) -> Fault:
    """With the mean over other edges."""

    def result(oracle: SageOracle) -> SageOracle:
        source, target = change(oracle.mean)
        return oracle.under(mean_matrix(source, target, oracle.mean.num_nodes))

    return result


def _shares(change: Callable[[SageOracle], Tensor]) -> Fault:
    """With other entries of M."""

    def result(oracle: SageOracle) -> SageOracle:
        mean = oracle.mean
        return oracle.under(Adjacency(mean.source, mean.target, change(oracle), mean.num_nodes))

    return result


def _looped(mean: Adjacency) -> tuple[Tensor, Tensor]:
    nodes = torch.arange(mean.num_nodes)
    return torch.cat([mean.source, nodes]), torch.cat([mean.target, nodes])


def _once(mean: Adjacency) -> tuple[Tensor, Tensor]:
    source, target = torch.unique(torch.stack([mean.source, mean.target]), dim=1)
    return source, target


def _without_loops(mean: Adjacency) -> tuple[Tensor, Tensor]:
    kept = mean.source != mean.target
    return mean.source[kept], mean.target[kept]


def _weights(oracle: SageOracle) -> Tensor:
    return oracle.graph.weights(torch.float64).detach().cpu()


def _weighted_mean(oracle: SageOracle) -> Tensor:
    weight, target = _weights(oracle), oracle.mean.target
    total = torch.zeros(oracle.graph.num_nodes, dtype=torch.float64).index_add_(0, target, weight)[target]
    return torch.where(total != 0, weight / total, 0.0)


def _out_degree(oracle: SageOracle) -> Tensor:
    outgoing = oracle.mean.transpose.row_counts[oracle.mean.target]
    return 1.0 / outgoing.clamp_min(1.0)


def _rounded(bits: int) -> Fault:
    def result(oracle: SageOracle) -> SageOracle:
        inputs = oracle.inputs
        rounded = {
            name: round_significand(getattr(inputs, name), bits) for name in ("x", "weight_l", "weight_r")
        }
        return oracle.under(inputs=replace(inputs, **rounded))

    return result


def _swapped(oracle: SageOracle) -> SageOracle:
    inputs = oracle.inputs
    other = oracle.under(inputs=replace(inputs, weight_l=inputs.weight_r, weight_r=inputs.weight_l))
    values = {**other.values, "dW_l": other.values["dW_r"], "dW_r": other.values["dW_l"]}
    return replace(other, values=values)


def _biased(factor: float) -> Fault:
    def result(oracle: SageOracle) -> SageOracle:
        inputs = oracle.inputs
        return (
            oracle if inputs.bias is None else oracle.under(inputs=replace(inputs, bias=inputs.bias * factor))
        )

    return result


def _without_root(oracle: SageOracle) -> SageOracle:
    return oracle.under(inputs=replace(oracle.inputs, weight_r=torch.zeros_like(oracle.inputs.weight_r)))


#: A cause in words, and the layer as it would be with it; the likeliest first.
SAGE_FAULTS: tuple[tuple[str, Fault], ...] = (
    ("neighbours are added up, not averaged", _shares(lambda o: torch.ones_like(o.mean.value))),
    ("each node was given a self-loop, which this layer has none of", _edges(_looped)),
    ("own self-loops are left out of the mean", _edges(_without_loops)),
    ("edges are followed backwards: the mean is over out-edges", _edges(lambda mean: (mean.target, mean.source))),
    ("duplicate edges are merged and count once", _edges(_once)),
    ("messages are multiplied by edge weights, which mean nothing to this layer",
     _shares(lambda o: o.mean.value * _weights(o))),
    ("the mean is weighted by the edges, whose weights mean nothing to this layer", _shares(_weighted_mean)),
    ("sums over in-edges are divided by the out-degree", _shares(_out_degree)),
    ("sums are divided by the in-degree + 1", _shares(lambda o: 1.0 / (1.0 / o.mean.value + 1))),
    ("in-edges are counted in bfloat16, which stops at 256",
     _shares(lambda o: o.mean.value.clamp_min(1.0 / 256))),
    ("in-edges are counted in float16, which stops at 2048",
     _shares(lambda o: o.mean.value.clamp_min(1.0 / 2048))),
    ("W_l and W_r stand in each other's place", _swapped),
    ("the node's own term x W_r is missing", _without_root),
    ("the bias is missing", _biased(0.0)),
    ("the bias is added twice", _biased(2.0)),
    ("operands are rounded to 11 significant bits: TF32 or float16", _rounded(11)),
    ("operands are rounded to 8 significant bits: bfloat16", _rounded(8)),
)  # fmt: skip


def sage_alternatives(oracle: SageOracle) -> Iterator[tuple[str, SageOracle]]:
    """Each known fault, with what the layer would give under it."""
    for cause, fault in SAGE_FAULTS:
        yield cause, fault(oracle)
