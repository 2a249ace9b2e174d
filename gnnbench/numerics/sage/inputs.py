"""Seeded operands of GraphSAGE layers, and whether a probe with them is exact in float32."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.numerics.exact import SIGNIFICAND, grid, row_grids
from gnnbench.numerics.host import judging
from gnnbench.numerics.inputs import exact_inputs, real_inputs
from gnnbench.numerics.layer import LayerInputs
from gnnbench.numerics.sage.oracle import SageInputs, SageOracle


def exact_sage_inputs(num_nodes: int, features: int = 16, channels: int = 8, *, seed: int = 0) -> SageInputs:
    """Whole numbers, float32, as `exact_inputs` has them; W_r is drawn like W_l, and differs from it."""
    return _with_root(
        exact_inputs(num_nodes, features, channels, seed=seed),
        exact_inputs(num_nodes, features, channels, seed=seed + 1).weight,
    )


def real_sage_inputs(num_nodes: int, features: int, channels: int, *, seed: int = 0) -> SageInputs:
    """Real numbers, float32, as `real_inputs` has them; W_r is drawn like W_l, and differs from it."""
    return _with_root(
        real_inputs(num_nodes, features, channels, seed=seed),
        real_inputs(num_nodes, features, channels, seed=seed + 1).weight,
    )


def positive_sage_inputs(num_nodes: int, features: int, channels: int, *, seed: int = 0) -> SageInputs:
    """Positive numbers, float32: X and G from 0.5 to 1.5, weights and b from 0 to 1.

    Nothing cancels, so each entry is as large as its bound is wide: what is wrong by a factor of 1 + 2^-11
    shows even where thousands of in-edges meet, as a count that stops at 2048 of 2049 does. G is not ones:
    equal terms round alike, again and again, and λ√m holds for roundings that do not conspire. Sums over all
    nodes may still stagnate, with terms below an ulp of what was added up before: judge forward and dX only.
    """
    generator = torch.Generator().manual_seed(seed)
    return SageInputs(
        x=torch.rand(num_nodes, features, generator=generator) + 0.5,
        weight_l=torch.rand(features, channels, generator=generator),
        weight_r=torch.rand(features, channels, generator=generator),
        bias=torch.rand(channels, generator=generator),
        upstream=torch.rand(num_nodes, channels, generator=generator) + 0.5,
    )


def _with_root(inputs: LayerInputs, weight_r: Tensor) -> SageInputs:
    return SageInputs(
        x=inputs.x,
        weight_l=inputs.weight,
        weight_r=weight_r,
        bias=inputs.bias,
        upstream=inputs.upstream,
    )


def require_exact_sage(oracle: SageOracle) -> None:
    """Make sure that no correct float32 implementation can round anywhere on this probe.

    Raises:
        ValueError: naming the quantity and how far its partial sums may exceed what float32 holds.
    """
    for quantity, share in sage_headroom(oracle).items():
        if not share <= 1:
            raise ValueError(
                f"{quantity}: expected partial sums that float32 holds exactly, found some that may need "
                f"{share:.3g} times its significand; use smaller numbers, or in-degrees that are powers of 2"
            )


@judging
def sage_headroom(oracle: SageOracle) -> dict[str, float]:
    """For each quantity, the largest partial sum that any order can meet, as a share of what float32 holds.

    That is Σ|terms| ÷ (2^24 · grid), the grid being the largest power of two that divides all terms. Sums
    that are divided by n_i only afterwards hold the same significands.
    """
    inputs, mean = oracle.inputs, oracle.mean
    back = mean.transpose
    x, g = inputs.x.abs(), inputs.upstream.abs()
    w_l, w_r = inputs.weight_l.abs(), inputs.weight_r.abs()
    weights = torch.minimum(grid(w_l), grid(w_r))
    forward = mean @ (x @ w_l) + x @ w_r
    forward_grid = row_grids(mean).clamp_max(1.0) * grid(x) * weights
    if inputs.bias is not None:
        forward = forward + inputs.bias.abs()
        forward_grid = forward_grid.clamp_max(float(grid(inputs.bias)))
    spread = back @ g
    back_grid = row_grids(back).clamp_max(1.0) * grid(g)
    coarsest = back_grid.min() if back_grid.numel() else torch.ones((), dtype=torch.float64)
    shares = {
        "forward": forward / forward_grid[:, None],
        "dX": (spread @ w_l.T + g @ w_r.T) / (back_grid * weights)[:, None],
        "dW_l": (x.T @ spread) / (coarsest * grid(x)),
        "dW_r": (x.T @ g) / (grid(x) * grid(g)),
        "db": g.sum(dim=0) / grid(g),
    }
    return {
        quantity: float(shares[quantity].max()) / SIGNIFICAND if shares[quantity].numel() else 0.0
        for quantity in oracle.values
    }
