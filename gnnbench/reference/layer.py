"""The layer of the backends that split it into a feature transform and an aggregation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gnnbench.reference.propagation import EdgeNormalisation

Aggregate = Callable[[Tensor], Tensor]


class AggregatingLayer:
    """`Â x weight + bias` from `aggregate(h) = Â h`.

    The product is taken in the cheaper order: `(Â x) weight` where x is narrower than the result, else `Â (x
    weight)`. Both are the same sum of products; the error bounds of the equivalence suite cover both.

    Under autocast the transform runs in the autocast dtype, and the aggregation in the dtype the layer was
    bound to: sums over thousands of neighbours are what 16-bit formats lose first, and sparse products in
    them are missing on some devices.
    """

    def __init__(self, aggregate: Aggregate, *, device: torch.device, dtype: torch.dtype) -> None:
        self._aggregate = aggregate
        self.device = device
        self.dtype = dtype

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x `[N, F]`, weight `[F, C]`, bias `[C]` or None; the result is `[N, C]`."""
        narrow = x.shape[1] < weight.shape[1]
        out = self.aggregate(x) @ weight if narrow else self.aggregate(x @ weight)
        return out if bias is None else out + bias

    def aggregate(self, h: Tensor) -> Tensor:
        """`Â h` for h `[N, C]`, in the bound dtype."""
        if torch.is_autocast_enabled(self.device.type):
            with torch.autocast(self.device.type, enabled=False):
                return self._aggregate(h.to(self.dtype))
        return self._aggregate(h)


class WeightedAggregatingLayer:
    """`AggregatingLayer` for weights that come with each call.

    `aggregate(value, h) = Â h` from Â's entries in float64, as `EdgeNormalisation` has them.
    """

    def __init__(
        self,
        normalise: EdgeNormalisation,
        aggregate: Callable[[Tensor, Tensor], Tensor],
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._normalise = normalise
        self._aggregate = aggregate
        self.device = device
        self.dtype = dtype

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None, edge_weight: Tensor) -> Tensor:
        """x `[N, F]`, weight `[F, C]`, bias `[C]` or None, edge_weight `[E]`; the result is `[N, C]`."""
        value = self._normalise(edge_weight)
        layer = AggregatingLayer(lambda h: self._aggregate(value, h), device=self.device, dtype=self.dtype)
        return layer(x, weight, bias)
