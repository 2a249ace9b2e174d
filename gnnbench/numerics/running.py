"""Running error analysis: numbers that carry a bound on what rounding may have done to them.

Where a layer is more than one sum of products there is no closed formula. Instead each step of it is taken in
float64 on three numbers at once (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section
3.3): what is exact, how far any float32 implementation may be from it, and how large its terms are. Each rule
below follows from the standard model `fl(a ∘ b) = (a ∘ b)(1 + δ)`, `|δ| ≤ u`, so the bound at the end is as
certain as the rules are. Correlations between errors are not used: the bound adds what may in truth cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.numerics.bounds import FP32, growth

#: Unit roundoff of float32, to nearest.
U = FP32.u

#: Below this float32 has no normal numbers, and a device may flush to zero.
TINY = 2.0**-126


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Approximate:
    """A tensor as float32 implementations may have it."""

    value: Tensor
    """float64: exact."""
    error: Tensor
    """At least |computed - exact|, in whatever order the terms were multiplied and added."""
    size: Tensor
    """At least the sum of the absolute values of all terms, so at least |exact| + error and |computed|.

    It is what makes a bound independent of the order of evaluation: `x (W a)` and `(x W) a` round
    differently, but both by at most so many u of |x||W||a|.
    """

    @classmethod
    def exact(cls, value: Tensor) -> Approximate:
        """An operand: given in float32, so without error."""
        return cls(value, torch.zeros_like(value), value.abs())

    @classmethod
    def of(cls, value: Tensor, error: Tensor, size: Tensor) -> Approximate:
        """With a size that is large enough for the error."""
        return cls(value, error, torch.maximum(size, value.abs() + error))

    def __mul__(self, other: Approximate) -> Approximate:
        """|âb̂(1+δ) - ab| ≤ |â||b̂-b| + |b||â-a| + u|âb̂|, and TINY where the product underflows."""
        size = self.size * other.size
        error = self.size * other.error + other.size * self.error + U * size + TINY
        return Approximate.of(self.value * other.value, error, size)

    def __add__(self, other: Approximate) -> Approximate:
        """|(â+b̂)(1+δ) - (a+b)| ≤ both errors and u(|â|+|b̂|)."""
        size = self.size + other.size
        return Approximate.of(self.value + other.value, self.error + other.error + U * size, size)

    def __sub__(self, other: Approximate) -> Approximate:
        """As a sum."""
        return self + Approximate(-other.value, other.error, other.size)

    def scaled(self, factor: float) -> Approximate:
        """Times a number that float32 may not hold itself: two roundings."""
        size = abs(factor) * self.size
        return Approximate.of(factor * self.value, abs(factor) * self.error + 2 * U * size, size)

    def rounded(self, roundings: int) -> Approximate:
        """With so many roundings more than the steps before have counted."""
        return Approximate.of(self.value, self.error + roundings * U * self.size, self.size)

    def at(self, index: Tensor) -> Approximate:
        """Rows gathered: nothing is computed."""
        return Approximate(self.value[index], self.error[index], self.size[index])

    def view(self, *shape: int) -> Approximate:
        """In another shape."""
        return Approximate(self.value.view(shape), self.error.view(shape), self.size.view(shape))

    def unsqueeze(self, dim: int) -> Approximate:
        """With a dimension of size 1 more."""
        return Approximate(self.value.unsqueeze(dim), self.error.unsqueeze(dim), self.size.unsqueeze(dim))

    def sum(self, dim: int) -> Approximate:
        """Over one dimension, in any order: the errors, and g(n)u/(1 - g(n)u) of all sizes."""
        count = self.value.new_tensor(float(self.value.shape[dim]))
        size = self.size.sum(dim)
        return Approximate.of(self.value.sum(dim), self.error.sum(dim) + _sums(count) * size, size)

    def scatter(self, target: Tensor, num_rows: int) -> Approximate:
        """Rows added up by `target`, in any order: as `sum`, each with its own number of terms."""
        count = torch.zeros(num_rows, dtype=torch.float64)
        count.index_add_(0, target, torch.ones(target.shape[0], dtype=torch.float64))
        value, error, size = (
            torch.zeros(num_rows, *part.shape[1:], dtype=torch.float64).index_add_(0, target, part)
            for part in (self.value, self.error, self.size)
        )
        rounding = _sums(count).view(-1, *(1,) * (size.dim() - 1)) * size
        return Approximate.of(value, error + rounding, size)

    def __matmul__(self, other: Approximate) -> Approximate:
        """A dense product of matrices: K products and their sum."""
        size = self.size @ other.size
        terms = self.value.new_tensor(float(self.value.shape[-1]))
        error = self.size @ other.error + self.error @ other.size + _sums(terms + 1) * size
        return Approximate.of(self.value @ other.value, error, size)

    @property
    def mT(self) -> Approximate:  # noqa: N802 - as torch has it
        """Transposed."""
        return Approximate(self.value.mT, self.error.mT, self.size.mT)


def _sums(count: Tensor) -> Tensor:
    error = growth(count) * U
    return error / (1 - error)
