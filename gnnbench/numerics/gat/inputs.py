"""Seeded operands of GAT layers."""

from __future__ import annotations

import torch

from gnnbench.numerics.gat.oracle import GatInputs
from gnnbench.numerics.inputs import rademacher, real_inputs


def real_gat_inputs(
    num_nodes: int,
    features: int,
    channels: int,
    *,
    heads: int,
    concat: bool = True,
    scale: float = 1.0,
    seed: int = 0,
) -> GatInputs:
    """Real numbers, float32: X, W and b as `real_inputs` has them, a uniform in ±√(6/(1+C)) times `scale`.

    With a scale of 1 scores are about as large as features, and shares differ by factors; with 100 they pass
    what float32 can exponentiate, with either sign. a_src and a_dst differ. G is ±1.
    """
    transform = real_inputs(num_nodes, features, heads * channels, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    limit = scale * (6 / (1 + channels)) ** 0.5
    width = heads * channels if concat else channels
    return GatInputs(
        x=transform.x,
        weight=transform.weight,
        att_src=(torch.rand(heads, channels, generator=generator) * 2 - 1) * limit,
        att_dst=(torch.rand(heads, channels, generator=generator) * 2 - 1) * limit,
        bias=torch.randn(width, generator=generator),
        upstream=rademacher(num_nodes, width, generator),
        concat=concat,
    )
