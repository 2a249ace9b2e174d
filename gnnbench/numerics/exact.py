"""Tier 0: probes on which a correct implementation is exact, and nothing but equality passes.

Where all degrees are powers of 4, d^-1/2 is a power of two. With small whole numbers in X, W, b and G every
product and every partial sum is then a number that float32 holds, so the order of summation, the layout and
even the rounding of operands to TF32 or bfloat16 make no difference: one differing bit is a fault.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gnnbench.numerics.adjacency import Adjacency
from gnnbench.numerics.bounds import FP32, FP64, gcn_bound
from gnnbench.numerics.comparison import ByBound, Comparison, entrywise, misformed
from gnnbench.numerics.diagnosis import likely_cause
from gnnbench.numerics.host import judging
from gnnbench.numerics.layer import QUANTITIES, Quantity
from gnnbench.numerics.oracle import Oracle

#: Whole multiples of a power of two are exact in float32 while they stay at or below 2^24 of it.
SIGNIFICAND = 2.0**24


def compare_exact(
    name: Quantity,
    got: Any,
    oracle: Oracle,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Comparison:
    """Tier 0: `got` equals the oracle bit for bit, but for the sign of a zero.

    That sign alone depends on the order of a sum. Arguments as for `compare`; the probe must have passed
    `require_exact`. A failure has in `by_bound` what Tier 1 says of it, which decides for layers whose d^-1/2 of a
    power of 4 is rounded (see `roots`).
    """
    expected = oracle.of(name)
    wrong = misformed(name, got, expected.shape, device=torch.device(device), dtype=dtype)
    if wrong is not None:
        return wrong
    found = entrywise(
        name,
        "exact",
        got,
        expected,
        torch.zeros_like(expected),
        lambda values, beyond: likely_cause(name, values, beyond, oracle),
    )
    mode = {torch.float32: FP32, torch.float64: FP64}.get(dtype)
    # The gradient of the bias is a plain sum: no root excuses anything there.
    if found.passed or mode is None or name == "db":
        return found
    bound = gcn_bound(oracle, name, mode)
    # Its cause is nobody's business: where it passes there is none, and where it fails equality speaks.
    rounded = entrywise(name, "componentwise", got, expected, bound, lambda *_: "")
    return replace(found, by_bound=ByBound(rounded, torch.device(device), dtype))


def require_exact(oracle: Oracle) -> None:
    """Make sure that no correct float32 implementation can round anywhere on this probe.

    Raises:
        ValueError: naming the quantity and how far its partial sums may exceed what float32 holds.
    """
    for quantity, share in exact_headroom(oracle).items():
        if not share <= 1:
            raise ValueError(
                f"{quantity}: expected partial sums that float32 holds exactly, found some that may need "
                f"{share:.3g} times its significand; use smaller numbers or degrees that are powers of 4"
            )


@judging
def exact_headroom(oracle: Oracle) -> dict[Quantity, float]:
    """For each quantity, the largest partial sum that any order can meet, as a share of what float32 holds.

    That is Σ|terms| ÷ (2^24 · grid), the grid being the largest power of two that divides all terms of the
    sum.
    """
    inputs, adjacency = oracle.inputs, oracle.adjacency
    x, w, g = grid(inputs.x), grid(inputs.weight), grid(inputs.upstream)
    back = adjacency.transpose
    forward = adjacency.absolute @ (inputs.x.abs() @ inputs.weight.abs())
    forward_grid = row_grids(adjacency) * x * w
    if inputs.bias is not None:
        forward = forward + inputs.bias.abs()
        forward_grid = forward_grid.clamp_max(float(grid(inputs.bias)))
    aggregated = back.absolute @ inputs.upstream.abs()
    back_grid = row_grids(back) * g
    shares = {
        "forward": forward / forward_grid[:, None],
        "dX": (aggregated @ inputs.weight.abs().T) / (back_grid * w)[:, None],
        "dW": (inputs.x.abs().T @ aggregated) / (back_grid.min() * x if back_grid.numel() else 1.0),
        "db": inputs.upstream.abs().sum(dim=0) / g,
    }
    return {
        quantity: float(shares[quantity].max()) / SIGNIFICAND if shares[quantity].numel() else 0.0
        for quantity in QUANTITIES
        if getattr(oracle, quantity) is not None
    }


def row_grids(adjacency: Adjacency) -> Tensor:
    """float64 `[N]`: for each row the largest power of two that divides all its entries; 1 where there are
    none."""
    grids = torch.full((adjacency.num_nodes,), torch.inf, dtype=torch.float64)
    grids.scatter_reduce_(0, adjacency.target, granules(adjacency.value), "amin")
    return torch.where(torch.isfinite(grids), grids, 1.0)


def grid(values: Tensor) -> Tensor:
    """The largest power of two that divides all of `values`; 1 where all are zero."""
    grid = granules(values).min() if values.numel() else torch.tensor(torch.inf, dtype=torch.float64)
    return torch.where(torch.isfinite(grid), grid, 1.0)


def granules(values: Tensor) -> Tensor:
    """For each number the largest power of two that divides it; infinity for 0."""
    mantissa, exponent = torch.frexp(values)
    whole = (mantissa.abs() * 2.0**53).long()
    lowest = (whole & -whole).double()
    # In float64: with whole exponents some releases take the power of two in float32, where it underflows.
    return torch.where(values == 0, torch.inf, torch.ldexp(lowest, (exponent - 53).double()))
