"""What an implementation of the GraphSAGE layer is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gnnbench.graphs import Graph


class SageLayer(Protocol):
    """A GraphSAGE layer bound to one graph, one device and one dtype."""

    def __call__(self, x: Tensor, weight_l: Tensor, weight_r: Tensor, bias: Tensor | None) -> Tensor:
        """`mean(x) weight_l + x weight_r + bias`.

        x is `[N, F]`, both weights are `[F, C]`, bias is `[C]` or None, the result `[N, C]`. Differentiable
        in all four.
        """
        ...


@runtime_checkable
class SageBackend(Protocol):
    """One way to compute the mean layer of Hamilton, Ying & Leskovec (2017), as PyG's `SAGEConv` has it.

        out_i = mean_{j -> i} x_j W_l + x_i W_r + b

    The mean is over the in-edges of i, each as often as it is there: duplicate edges count twice, own
    self-loops are edges like any other and none is added. A node without in-edges has the mean 0. Edge
    weights mean nothing to this layer. May have an attribute `tier`, as GCN backends may.
    """

    @property
    def name(self) -> str:
        """Short and stable, for it becomes part of every check's id."""
        ...

    def bind(self, graph: Graph, *, device: torch.device, dtype: torch.dtype) -> SageLayer:
        """Prepare the layer for `graph`; what doesn't depend on x and the parameters happens here.

        Raises:
            UnsupportedByBackend: where this implementation can't compute exactly what was asked for.
        """
        ...
