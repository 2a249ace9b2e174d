"""A clean float32 GCN layer, and mutants of it: one fault each, where a real backend could have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph

Edges = tuple[Tensor, Tensor, Tensor]


def symmetric(source: Tensor, target: Tensor, weight: Tensor, degree: Tensor) -> Tensor:
    scale = torch.where(degree > 0, degree.rsqrt(), 0.0)
    return scale[target] * weight * scale[source]


@dataclass(frozen=True)
class Mutant:
    """A backend in which each step can be spoilt. As it stands it is the clean twin."""

    name: str = "clean"
    fault: str = ""
    loops: str = "add"
    edges: Callable[[Tensor, Tensor, Tensor, int], Edges] = lambda s, t, w, n: (s, t, w)
    degree: Callable[[Tensor], Tensor] = lambda d: d
    normalise: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = symmetric
    normalised: Callable[[Edges], Edges] = lambda e: e
    """Â's entries after the degrees were taken."""
    backward: Callable[[Edges], Edges] = lambda e: e
    """Â's entries as the backward pass uses them."""
    operands: Callable[[Tensor], Tensor] = lambda t: t
    """Each operand of the dense product."""
    weight_input: Callable[[Tensor], Tensor] = lambda x: x
    """X as dW's product sees it."""
    bias: Callable[[Tensor], Tensor] = lambda b: b
    finish: Callable[[Tensor], Any] = lambda out: out
    first: list[Edges] | None = field(default=None)
    """Where given, the first graph's Â is kept and answers for every other."""

    def bind(self, graph: Graph, *, device: Any = "cpu", dtype: Any = torch.float32, self_loops: str = "add"):
        edges = self.propagation(graph, "none" if self.loops == "none" else self_loops)
        if self.first is not None:
            if not self.first:
                self.first.append(edges)
            edges = self.first[0]

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Any:
            h = _Product.apply(x, weight, self)
            out = _Propagate.apply(h, edges, self)
            return self.finish(out if bias is None else out + self.bias(bias))

        return layer

    def propagation(self, graph: Graph, self_loops: str) -> Edges:
        n = graph.num_nodes
        source, target = graph.edge_index
        weight = graph.weights(torch.float32)
        nodes = torch.arange(n)
        if self_loops == "none":
            nodes = nodes[:0]
        elif self_loops == "add_remaining":
            nodes = nodes[~torch.isin(nodes, source[source == target])]
        source, target = torch.cat([source, nodes]), torch.cat([target, nodes])
        weight = torch.cat([weight, torch.ones(len(nodes))])
        source, target, weight = self.edges(source, target, weight, n)
        degree = self.degree(torch.zeros(n).index_add_(0, target, weight))
        return self.normalised((source, target, self.normalise(source, target, weight, degree)))


def _spread(h: Tensor, source: Tensor, target: Tensor, value: Tensor) -> Tensor:
    return torch.zeros(h.shape).index_add_(0, target, h[source] * value[:, None])


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, edges, mutant):
        ctx.edges, ctx.mutant = edges, mutant
        return _spread(h, *edges)

    @staticmethod
    def backward(ctx, gradient):
        source, target, value = ctx.mutant.backward(ctx.edges)
        return _spread(gradient, target, source, value), None, None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, mutant):
        ctx.save_for_backward(x, weight)
        ctx.mutant = mutant
        return mutant.operands(x) @ mutant.operands(weight)

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        operands = ctx.mutant.operands
        dw = operands(ctx.mutant.weight_input(x)).T @ operands(gradient)
        return operands(gradient) @ operands(weight).T, dw, None


class SpoiltGradient(torch.autograd.Function):
    """The identity, with a fault in its backward pass."""

    @staticmethod
    def forward(ctx, x, spoil):
        ctx.spoil = spoil
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return ctx.spoil(gradient), None


def without(index: int) -> Callable[[Edges], Edges]:
    """Lose one entry."""

    def drop(edges: Edges) -> Edges:
        keep = torch.arange(len(edges[0])) != index
        return tuple(part[keep] for part in edges)

    return drop


def twice(index: int) -> Callable[[Edges], Edges]:
    """Count one entry twice."""
    return lambda edges: tuple(torch.cat([part, part[index : index + 1]]) for part in edges)


def merged(source: Tensor, target: Tensor, weight: Tensor, n: int) -> Edges:
    """Of duplicate edges keep the last."""
    kept = {(int(s), int(t)): float(w) for s, t, w in zip(source, target, weight, strict=True)}
    pairs = torch.tensor(list(kept))
    return pairs[:, 0], pairs[:, 1], torch.tensor(list(kept.values()))


def rounded(bits: int) -> Callable[[Tensor], Tensor]:
    """To nearest, by adding and cutting the bits of the float32, as a device does it."""
    lost = 24 - bits

    def round_to(values: Tensor) -> Tensor:
        whole = values.detach().contiguous().view(torch.int32)
        return ((whole + (1 << (lost - 1))) & ~((1 << lost) - 1)).view(torch.float32)

    return round_to


def one_entry(change: Callable[[Tensor], Tensor], index: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """Spoil a single entry of the forward result, gradients untouched."""

    def spoil(out: Tensor) -> Tensor:
        delta = torch.zeros_like(out)
        with torch.no_grad():
            delta[index] = change(out[index]) - out[index]
            wrong = out.detach() + delta
            wrong[index] = change(out.detach()[index])
        return _Replace.apply(out, wrong)

    return spoil


class _Replace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, out, wrong):
        return wrong.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def next_float(value: Tensor) -> Tensor:
    """One ulp up."""
    return torch.nextafter(value, torch.tensor(torch.inf))
