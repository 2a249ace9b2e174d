"""Tier 2: which precision a dense product ran in, told from its errors alone.

Structure is judged by the other tiers; here the question is whether what was declared is what ran, both ways:
TF32 where float32 was declared is a fault, and so is float32 where autocast was declared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gnnbench.graphs import Graph
from gnnbench.numerics.comparison import Comparison, misformed
from gnnbench.numerics.layer import LayerInputs, Quantity
from gnnbench.numerics.oracle import Oracle

Precision = Literal["fp32", "tf32 or fp16", "bf16", "fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The relative errors rho by which one class of precisions is known."""

    precision: Precision
    low: float
    high: float


#: Emulated with bit-exact rounding of the operands against a float64 oracle (power-law graphs of 2,708 and
#: 12,000 nodes, K from 32 to 1433, standard normal X, Glorot W, no bias): fp32 gave 1.2e-7 to 5.6e-7, TF32
#: 2.7e-4 (rounding to nearest) to 7.6e-4 (truncation), bf16 2.2e-3 to 4.0e-3. rho hardly depends on K. The
#: bands stand wide of these by what the gaps allow.
BANDS: tuple[Band, ...] = (
    Band(precision="fp32", low=0.0, high=1e-5),
    Band(precision="tf32 or fp16", low=1e-4, high=1e-3),
    Band(precision="bf16", low=1.5e-3, high=6e-3),
)

#: Between TF32 and bf16 lies a factor of 2.9 only: in here ask the tripwires.
AMBIGUOUS = (8e-4, 2e-3)


def relative_error(got: Tensor, expected: Tensor) -> float:
    """rho = ‖got - expected‖_F / ‖expected‖_F, in float64; NaN or infinite where `got` is.

    Raises `ValueError` where `expected` is zero: nothing is relative to that.
    """
    norm = float(torch.linalg.vector_norm(expected.double()))
    if norm == 0:
        raise ValueError("expected: the reference result must not be zero everywhere")
    difference = got.detach().to("cpu", torch.float64) - expected.double()
    return float(torch.linalg.vector_norm(difference)) / norm


def classify(rho: float) -> Precision:
    """The class in whose band rho lies; `"fault"` where it lies in none, or is NaN."""
    return next((band.precision for band in BANDS if band.low <= rho <= band.high), "fault")


def compare_precision(
    name: Quantity,
    got: Any,
    oracle: Oracle,
    declared: Precision = "fp32",
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Comparison:
    """Tier 2: `got` was computed in the precision that was declared, no lower and no higher.

    The oracle must be of dense, standard normal X and no bias: TF32 on sparse features with a bias shrinks to
    1.7e-5. Other arguments as for `compare`. Raises `ValueError` for a class that is none.
    """
    band = next((band for band in BANDS if band.precision == declared), None)
    if band is None:
        raise ValueError(
            f"declared: expected one of {[band.precision for band in BANDS]}, found {declared!r}"
        )
    expected = oracle.of(name)
    wrong = misformed(name, got, expected.shape, device=torch.device(device), dtype=dtype)
    if wrong is not None:
        return wrong
    rho = relative_error(got, expected)
    found = classify(rho)
    # Below the band the ratio is turned about, so that a margin above 1 fails on both sides.
    ratio = rho / band.high if rho >= band.low else band.low / max(rho, math.ulp(0.0))
    failed = found != declared
    return Comparison(
        name=name,
        rule="precision class",
        error=rho,
        bound=band.high if rho >= band.low or math.isnan(rho) else band.low,
        ratio=math.inf if math.isnan(rho) else ratio,
        expected=f"{declared} ({band.low:g} <= rho <= {band.high:g})",
        got=found,
        total=expected.numel(),
        cause=_cause(declared, found) if failed else "",
    )


def _cause(declared: Precision, found: Precision) -> str:
    if found == "fault":
        return "no rounding of operands gives this error: the result is wrong, whatever its precision"
    if found == "fp32":
        return f"the product ran in float32: what should switch {declared} on has no effect"
    if declared == "fp32":
        return {
            "tf32 or fp16": "the product rounds its operands to 11 significant bits: TF32 is allowed "
            "(torch.backends.cuda.matmul.allow_tf32, torch.set_float32_matmul_precision, "
            "NVIDIA_TF32_OVERRIDE), or autocast to float16 is on",
            "bf16": "the product rounds its operands to 8 significant bits: autocast to bfloat16, or "
            "torch.set_float32_matmul_precision('medium')",
        }[found]
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripwire:
    """Operands that a product passes through unharmed only if it keeps enough of their bits."""

    precision: Precision
    """The lowest precision that stays exact."""
    fraction: float
    """What is added to whole numbers from 1 to 3: the bit that is lost."""


#: 11 significant bits hold 1 + 2^-9 to 3 + 2^-9 and not 1 + 2^-12; 8 bits hold neither; 24 hold both.
TRIPWIRES: tuple[Tripwire, ...] = (
    Tripwire(precision="fp32", fraction=2.0**-12),
    Tripwire(precision="tf32 or fp16", fraction=2.0**-9),
)

#: Large enough for tensor cores to be worth a library's while, small enough that dW's sums fit float32.
_TRIPWIRE_NODES, _TRIPWIRE_FEATURES = 256, 64


def tripwire_graph() -> Graph:
    """256 nodes with three in-edges each: with its loop the degree is 4, and every entry of Â exactly 1/4."""
    node = torch.arange(_TRIPWIRE_NODES)
    source = torch.cat([(node + step) % _TRIPWIRE_NODES for step in (1, 3, 9)])
    return Graph(torch.stack([source, node.repeat(3)]), _TRIPWIRE_NODES)


def tripwire_inputs(
    tripwire: Tripwire, operand: Literal["x", "upstream"], features: int = _TRIPWIRE_FEATURES
) -> LayerInputs:
    """W = I of `features` rows, and ±(1, 2 or 3 + fraction) in `operand`, whole numbers in the other.

    With the fraction in X, forward and dW tell; with the fraction in G, dX does. In both at once dW would
    need more bits than float32 has.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (_TRIPWIRE_NODES, features)
    whole = torch.randint(1, 4, shape, generator=generator).float()
    signs = torch.randint(0, 2, shape, generator=generator).float() * 2 - 1
    fine, coarse = signs * (whole + tripwire.fraction), signs.flip(0)
    return LayerInputs(
        x=fine if operand == "x" else coarse,
        weight=torch.eye(features),
        bias=None,
        upstream=fine if operand == "upstream" else coarse,
    )
