"""Sparse node features: bags of words, of which one entry in eighty is there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gnnbench.reference.product import Product, csr_product


@dataclass(frozen=True, slots=True, eq=False)
class SparseFeatures:
    """x `[N, F]` in CSR, and its transpose, whose values are those of x in the order `transposition`.

    The structure is made once; dropout makes new values, and the transpose follows by one gather.
    """

    matrix: Tensor
    transpose: Tensor
    transposition: Tensor
    product: Product

    @classmethod
    def of(cls, x: Tensor) -> SparseFeatures:
        """From a CSR tensor `[N, F]`, as `NodeClassification.features` is one."""
        if x.layout != torch.sparse_csr:
            raise ValueError(f"x: expected a CSR tensor, found layout {x.layout}")
        crow, column, values = x.crow_indices(), x.col_indices(), x.values()
        rows = torch.arange(x.shape[0], device=x.device)
        row = torch.repeat_interleave(rows, crow.diff().long())
        # Stable, so that within a column the rows stay in order, as CSR has them.
        transposition = column.argsort(stable=True)
        ends = torch.bincount(column, minlength=x.shape[1]).cumsum(0)
        crow_of_transpose = torch.cat([ends.new_zeros(1), ends])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            matrix = _csr(crow, column, values, (x.shape[0], x.shape[1]))
        return cls(
            matrix=matrix,
            transpose=_csr(
                crow_of_transpose, row[transposition], values[transposition], (x.shape[1], x.shape[0])
            ),
            transposition=transposition,
            product=csr_product(matrix, backend="sparse features"),
        )

    @property
    def values(self) -> Tensor:
        """What is stored, in the order of the rows."""
        return self.matrix.values()

    def to(self, dtype: torch.dtype) -> SparseFeatures:
        """The same numbers in `dtype`."""
        changed = self._with_values(self.values.to(dtype))
        return replace(changed, product=csr_product(changed.matrix, backend="sparse features"))

    def dropout(self, p: float, *, training: bool) -> SparseFeatures:
        """Drop stored values with probability p and scale the rest by 1/(1 - p); zeros stay zeros anyway."""
        if not training or p == 0:
            return self
        return self._with_values(torch.nn.functional.dropout(self.values, p))

    def transform(self, weight: Tensor) -> Tensor:
        """`x @ weight`, `[N, C]`, differentiable in weight; in the dtype of x, whatever autocast says."""
        product: Tensor = _Transform.apply(weight, self)  # type: ignore[no-untyped-call]
        return product

    def _with_values(self, values: Tensor) -> SparseFeatures:
        return replace(
            self,
            matrix=_like(self.matrix, values),
            transpose=_like(self.transpose, values[self.transposition]),
        )


class _Transform(torch.autograd.Function):
    """`x @ weight`, and `xᵀ @ gradient` for its gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, features: SparseFeatures) -> Tensor:
        ctx.features = features
        with torch.autocast(weight.device.type, enabled=False):
            return features.product(features.matrix, weight.to(features.matrix.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        transpose = ctx.features.transpose
        return ctx.features.product(transpose, gradients[0].to(transpose.dtype)), None


def _like(matrix: Tensor, values: Tensor) -> Tensor:
    return _csr(matrix.crow_indices(), matrix.col_indices(), values, (matrix.shape[0], matrix.shape[1]))


def _csr(crow: Tensor, column: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_csr_tensor(
        crow.to(torch.int32), column.to(torch.int32), values, shape, check_invariants=False
    )
