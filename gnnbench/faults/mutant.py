"""A GCN layer written out step by step, so that each step can be spoilt: the clean twin, and its mutants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gnnbench.faults.fault import PLANTED
from gnnbench.graphs import Graph
from gnnbench.reference import register_backend

#: Entries of a matrix: source, target, value.
Edges = tuple[Tensor, Tensor, Tensor]


def symmetric(source: Tensor, target: Tensor, weight: Tensor, degree: Tensor) -> Tensor:
    """`d[target]^-1/2 · w · d[source]^-1/2`, as the paper has it."""
    scale = torch.where(degree > 0, degree.rsqrt(), 0.0)
    return scale[target] * weight * scale[source]


@dataclass(frozen=True)
class Mutant:
    """A float32 backend in which each step can be replaced. As it stands it is right."""

    name: str = PLANTED
    fault: str = ""
    """What is wrong with it, for tests that list several."""
    loops: str = "add"
    """`add` for those that were asked for; `none` and `add_remaining` for these whatever was asked for."""
    edges: Callable[[Tensor, Tensor, Tensor, int], Edges] = lambda s, t, w, n: (s, t, w)
    """Ã's entries and N, before the degrees are taken."""
    degree: Callable[[Tensor], Tensor] = lambda d: d
    normalise: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = symmetric
    normalised: Callable[[Edges], Edges] = lambda e: e
    """Â's entries after the degrees were taken."""
    each_call: Callable[[Edges], Edges] = lambda e: e
    """Â's entries as one call uses them."""
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

    def bind(
        self, graph: Graph, *, device: Any = "cpu", dtype: Any = torch.float32, self_loops: str = "add"
    ) -> Callable[[Tensor, Tensor, Tensor | None], Any]:
        """The layer on `graph`."""
        edges = self.propagation(graph.to(device), self_loops if self.loops == "add" else self.loops)
        if self.first is not None:
            if not self.first:
                self.first.append(edges)
            edges = self.first[0]

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Any:
            h = _Product.apply(x, weight, self)  # type: ignore[no-untyped-call]
            out = _Propagate.apply(h, self.each_call(edges), self)  # type: ignore[no-untyped-call]
            return self.finish(out if bias is None else out + self.bias(bias))

        return layer

    def propagation(self, graph: Graph, self_loops: str) -> Edges:
        """Â's entries."""
        n, device = graph.num_nodes, graph.device
        source, target = graph.edge_index
        weight = graph.weights(torch.float32)
        nodes = torch.arange(n, device=device)
        if self_loops == "none":
            nodes = nodes[:0]
        elif self_loops == "add_remaining":
            nodes = nodes[~torch.isin(nodes, source[source == target])]
        source, target = torch.cat([source, nodes]), torch.cat([target, nodes])
        weight = torch.cat([weight, torch.ones(len(nodes), device=device)])
        source, target, weight = self.edges(source, target, weight, n)
        degree = self.degree(torch.zeros(n, device=device).index_add_(0, target, weight))
        return self.normalised((source, target, self.normalise(source, target, weight, degree)))


def _spread(h: Tensor, source: Tensor, target: Tensor, value: Tensor) -> Tensor:
    return torch.zeros(h.shape, device=h.device).index_add_(0, target, h[source] * value[:, None])


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, edges: Edges, mutant: Mutant) -> Tensor:
        ctx.edges, ctx.mutant = edges, mutant
        return _spread(h, *edges)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        source, target, value = ctx.mutant.backward(ctx.edges)
        return _spread(gradients[0], target, source, value), None, None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, mutant: Mutant) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.mutant = mutant
        return mutant.operands(x) @ mutant.operands(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        operands = ctx.mutant.operands
        dw = operands(ctx.mutant.weight_input(x)).T @ operands(gradient)
        return operands(gradient) @ operands(weight).T, dw, None


class SpoiltGradient(torch.autograd.Function):
    """The identity, with a fault in its backward pass: `apply(x, spoil)`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, spoil: Callable[[Tensor], Tensor]) -> Tensor:
        """`x` as it is."""
        ctx.spoil = spoil
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """What `spoil` makes of the gradient."""
        return ctx.spoil(gradients[0]), None


@dataclass(frozen=True)
class Wrapped:
    """The layer of `inner`, handed through `wrap(layer, graph)`."""

    inner: Mutant
    wrap: Callable[[Callable[..., Any], Graph], Callable[..., Any]]
    name: str = PLANTED

    def bind(
        self, graph: Graph, *, device: Any = "cpu", dtype: Any = torch.float32, self_loops: str = "add"
    ) -> Callable[..., Any]:
        """The wrapped layer on `graph`."""
        return self.wrap(self.inner.bind(graph, device=device, dtype=dtype, self_loops=self_loops), graph)


def register(backend: Any) -> None:
    """Register a planted backend, whose checks `-k planted` selects."""
    register_backend(backend)
