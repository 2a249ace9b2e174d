"""Seeded operands for the tiers: whole numbers, real numbers, and signs for the gradient from above."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.numerics.layer import LayerInputs

#: Sizes of Tier 0: the transform comes first in layers that pick the cheaper order.
EXACT_FEATURES, EXACT_CHANNELS = 16, 8

#: Features of Tier 1. Above 64 rounding of the inner products hides what a single edge contributes.
REAL_FEATURES, REAL_CHANNELS = 32, 8


def exact_inputs(
    num_nodes: int,
    features: int = EXACT_FEATURES,
    channels: int = EXACT_CHANNELS,
    *,
    seed: int = 0,
    bias: bool = True,
) -> LayerInputs:
    """Whole numbers for Tier 0, float32: X in [-4, 4], W in [-2, 2], b in [-8, 8], G in {-1, 1}.

    No row of XW and none of GWᵀ is zero, forward and backward every node's messages can be seen to be lost.
    """
    generator = torch.Generator().manual_seed(seed)
    weight = _integers(2, (features, channels), generator)
    while bool((weight == 0).all(dim=0).any()):
        weight = _integers(2, (features, channels), generator)
    x = _without_silent_rows(_integers(4, (num_nodes, features), generator), weight, 4, generator)
    upstream = rademacher(num_nodes, channels, generator)
    while bool((silent := ~(upstream @ weight.T).any(dim=1)).any()):
        upstream[silent] = rademacher(int(silent.sum()), channels, generator)
    return LayerInputs(
        x=x,
        weight=weight,
        bias=_nonzero_integers(8, channels, generator) if bias else None,
        upstream=upstream,
    )


def real_inputs(
    num_nodes: int,
    features: int = REAL_FEATURES,
    channels: int = REAL_CHANNELS,
    *,
    seed: int = 0,
    bias: bool = True,
) -> LayerInputs:
    """Real numbers for Tiers 1 and 2, float32: X standard normal, W uniform in ±√(6/(F+C)), G in {-1, 1}.

    W is drawn as Glorot & Bengio (2010) have it, b standard normal, so that all three matter equally. G is
    Rademacher and not ones: under ones all columns of P = ÂᵀG are the same, and faults that mix columns,
    strides or layouts cancel.
    """
    generator = torch.Generator().manual_seed(seed)
    limit = (6 / (features + channels)) ** 0.5
    return LayerInputs(
        x=torch.randn(num_nodes, features, generator=generator),
        weight=(torch.rand(features, channels, generator=generator) * 2 - 1) * limit,
        bias=torch.randn(channels, generator=generator) if bias else None,
        upstream=rademacher(num_nodes, channels, generator),
    )


def rademacher(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """float32 `[rows, columns]` of -1 and 1, evenly."""
    return torch.randint(0, 2, (rows, columns), generator=generator).float() * 2 - 1


def _integers(largest: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randint(-largest, largest + 1, shape, generator=generator).float()


def _nonzero_integers(largest: int, length: int, generator: torch.Generator) -> Tensor:
    signs = rademacher(1, length, generator)[0]
    return torch.randint(1, largest + 1, (length,), generator=generator).float() * signs


def _without_silent_rows(x: Tensor, weight: Tensor, largest: int, generator: torch.Generator) -> Tensor:
    """`x` with the rows drawn anew whose product with `weight` is zero: losing their edges would not show."""
    while bool((silent := ~(x @ weight).any(dim=1)).any()):
        x[silent] = _integers(largest, (int(silent.sum()), x.shape[1]), generator)
    return x
