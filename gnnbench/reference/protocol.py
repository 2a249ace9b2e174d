"""What a backend is: one way to compute the GCN layer on one graph."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops


class UnsupportedByBackend(Exception):
    """A backend can't serve this graph, device, dtype or self-loop convention, for the reason given.

    It is not an error of the run: the suites record the case as not applicable and show the reason.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def compiles(backend: object) -> bool:
    """Whether operands of another form may cost this backend a compilation."""
    return bool(getattr(backend, "compiles", False))


class Layer(Protocol):
    """A GCN layer bound to one graph, one device and one dtype."""

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """`Â x weight + bias` with x `[N, F]`, weight `[F, C]`, bias `[C]` or None; the result is `[N, C]`.

        Differentiable in x, weight and bias.
        """
        ...


class WeightedLayer(Protocol):
    """A GCN layer bound to the edges of one graph, whose weights come with each call."""

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None, edge_weight: Tensor) -> Tensor:
        """As `Layer`, on the graph with `edge_weight` `[E]` in the order of its edges.

        Differentiable in x, weight, bias and edge_weight, and in the latter through the normalisation too:
        that is what programs get that learn edge weights.
        """
        ...


@runtime_checkable
class Backend(Protocol):
    """One way to compute the layer of Kipf & Welling (2017): `out = D̃^-1/2 Ã D̃^-1/2 X W + b`.

    Row i of Ã gathers the in-edges of node i; D̃ holds the weighted in-degrees, self-loops included. A
    backend may have an attribute `tier` (`"smoke"`, `"standard"`, `"full"`, `"soak"`); without it, it belongs
    to smoke. One that compiles anew for operands of another form says so by `compiles = True`: before tier full
    it is asked less, and it keeps all threads.
    """

    @property
    def name(self) -> str:
        """Short and stable, for it becomes part of every check's id: `csr`, `pyg_sparse`."""
        ...

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Prepare the layer for `graph`; everything that doesn't depend on x, weight and bias happens here.

        Raises:
            UnsupportedByBackend: where this backend can't compute exactly what was asked for.
        """
        ...


@runtime_checkable
class WeightedBackend(Backend, Protocol):
    """A backend that can also differentiate by edge weights. Nobody has to: it is checked where it is there.

    The suites find it by its method.
    """

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedLayer:
        """Prepare the layer for the edges of `graph`, whose own weights are not looked at.

        Raises:
            UnsupportedByBackend: where this backend can't compute exactly what was asked for.
        """
        ...
