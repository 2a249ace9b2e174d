"""The layer on sparse features: x is turned into CSR and only what is stored is multiplied, as in training."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.csr import CsrBackend
from gnnbench.reference.features import SparseFeatures
from gnnbench.reference.layer import AggregatingLayer


class SparseFeaturesBackend:
    """`Â (x weight)`, the inner product by `SparseFeatures`, the outer one as in the `csr` backend.

    Bags of words reach the backends' models this way. What differs from `csr` is the feature transform,
    forward and in the gradient by weight; by x, which nobody trains when it is sparse, the gradient is the
    dense product `P weightᵀ`, for zeros too.
    """

    name = "sparse_features"
    tier = "standard"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> AggregatingLayer:
        """As the `csr` backend; raises `UnsupportedByBackend` where no product is there."""
        propagation = CsrBackend().bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        return _SparseFeaturesLayer(propagation.aggregate, device=device, dtype=dtype)


class _SparseFeaturesLayer(AggregatingLayer):
    """Always transforms first: `Â x` would be dense. In the bound dtype, whatever autocast says."""

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            h: Tensor = _Transform.apply(x.to(self.dtype), weight.to(self.dtype))  # type: ignore[no-untyped-call]
        out = self.aggregate(h)
        return out if bias is None else out + bias


class _Transform(torch.autograd.Function):
    """`x @ weight` with x in CSR, made anew from the dense x of each call."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            ctx.features = SparseFeatures.of(x.to_sparse_csr())
        ctx.save_for_backward(weight)
        return ctx.features.product(ctx.features.matrix, weight)  # type: ignore[no-any-return]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (weight,) = ctx.saved_tensors
        by_x = gradients[0] @ weight.t() if ctx.needs_input_grad[0] else None
        by_weight = None
        if ctx.needs_input_grad[1]:
            by_weight = ctx.features.product(ctx.features.transpose, gradients[0])
        return by_x, by_weight
