"""The layer through `torch.sparse` in compressed sparse row format: the default, for it is the fastest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.layer import AggregatingLayer
from gnnbench.reference.propagation import propagation_coo, require_product, to_csr


class CsrBackend:
    """Â as a CSR tensor, and its transpose, made once, for the backward pass."""

    name = "csr"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> AggregatingLayer:
        """Sort and merge the edges both ways; raises `UnsupportedByBackend` where PyTorch has no such product."""
        matrix = propagation_coo(graph, device=device, dtype=dtype, self_loops=self_loops)
        forward, backward = to_csr(matrix), to_csr(matrix.t().coalesce())
        require_product(forward, backend=self.name)

        def aggregate(h: Tensor) -> Tensor:
            product: Tensor = _CsrProduct.apply(h, forward, backward)  # type: ignore[no-untyped-call]
            return product

        return AggregatingLayer(aggregate, device=device, dtype=dtype)


class _CsrProduct(torch.autograd.Function):
    """`forward_matrix @ h`, and `backward_matrix @ gradient` with the transpose at hand."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, forward_matrix: Tensor, backward_matrix: Tensor) -> Tensor:
        ctx.backward_matrix = backward_matrix
        ctx.forward_matrix = forward_matrix
        return forward_matrix @ h

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None]:
        (gradient,) = gradients
        if not ctx.needs_input_grad[0]:
            return None, None, None
        # Through apply again, so that second derivatives exist too.
        product: Tensor = _CsrProduct.apply(gradient, ctx.backward_matrix, ctx.forward_matrix)  # type: ignore[no-untyped-call]
        return product, None, None
