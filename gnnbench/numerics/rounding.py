"""Rounding to fewer bits than a type has, as tensor cores do with their operands."""

from __future__ import annotations

import torch
from torch import Tensor


def round_significand(values: Tensor, bits: int) -> Tensor:
    """`values` in float64, rounded to nearest, ties to even, with `bits` significant bits.

    11 bits are those of TF32 and float16, 8 those of bfloat16. The range of the exponent stays that of
    float64.
    """
    mantissa, exponent = torch.frexp(values.double())
    # In float64: with whole exponents some releases take the power of two in float32, where it underflows.
    return torch.ldexp(torch.round(mantissa * 2.0**bits), (exponent - bits).double())
