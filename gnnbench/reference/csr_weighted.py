"""Â in CSR with values that are learnt: the structure is sorted once, the values follow by one gather."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from gnnbench.reference.product import csr_product
from gnnbench.reference.propagation import EdgeNormalisation


class CsrStructure:
    """Where the entries of Â and Âᵀ stand, duplicates merged: M different places.

    `aggregate(value, h)` is `Â h`, differentiable in both. `slot` `[E + loops]` says at which of the M places
    each value adds up.
    """

    def __init__(self, normalise: EdgeNormalisation, *, dtype: torch.dtype, backend: str) -> None:
        self.num_nodes = normalise.num_nodes
        self.dtype = dtype
        keys = normalise.target * max(self.num_nodes, 1) + normalise.source
        places, self.slot = torch.unique(keys, return_inverse=True)
        self.target = places // max(self.num_nodes, 1)
        self.source = places % max(self.num_nodes, 1)
        # Stable, so that within a row of the transpose the columns stay in order.
        self.transposition = self.source.argsort(stable=True)
        self._forward = self._pointers(self.target), self.source.int()
        self._backward = self._pointers(self.source), self.target[self.transposition].int()
        like = self.matrix(torch.ones_like(places, dtype=dtype))
        self.product = csr_product(like, backend=backend)

    def aggregate(self, value: Tensor, h: Tensor) -> Tensor:
        """`Â h` in the bound dtype; duplicates are added in float64, then rounded."""
        merged = value.new_zeros(self.target.shape[0]).index_add(0, self.slot, value).to(self.dtype)
        out: Tensor = _Product.apply(merged, h, self)  # type: ignore[no-untyped-call]
        return out

    def matrix(self, merged: Tensor) -> Tensor:
        """Â of these values `[M]`."""
        return self._csr(*self._forward, merged)

    def transpose(self, merged: Tensor) -> Tensor:
        """Âᵀ of these values `[M]`."""
        return self._csr(*self._backward, merged[self.transposition])

    def _pointers(self, row: Tensor) -> Tensor:
        ends = torch.bincount(row, minlength=self.num_nodes).cumsum(0)
        return torch.cat([ends.new_zeros(1), ends]).int()

    def _csr(self, crow: Tensor, column: Tensor, values: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            return torch.sparse_csr_tensor(
                crow, column, values, (self.num_nodes, self.num_nodes), check_invariants=False
            )


class _Product(torch.autograd.Function):
    """`Â h`; by h the gradient is `Âᵀ G`, by Â_ij it is `G_i·h_j`, at the M places alone."""

    @staticmethod
    def forward(ctx: Any, merged: Tensor, h: Tensor, structure: CsrStructure) -> Tensor:
        ctx.structure = structure
        ctx.save_for_backward(merged, h)
        return structure.product(structure.matrix(merged), h)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        merged, h = ctx.saved_tensors
        structure, gradient = ctx.structure, gradients[0]
        by_merged = by_h = None
        if ctx.needs_input_grad[0]:
            by_merged = (gradient[structure.target] * h[structure.source]).sum(dim=1)
        if ctx.needs_input_grad[1]:
            by_h = structure.product(structure.transpose(merged), gradient)
        return by_merged, by_h, None
