"""What came of comparing one quantity with the oracle, and how it is compared within a bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gnnbench.numerics.bounds import FP32, gcn_bound
from gnnbench.numerics.diagnosis import likely_cause
from gnnbench.numerics.host import judging
from gnnbench.numerics.layer import Quantity, entry_name
from gnnbench.numerics.oracle import Oracle

Rule = Literal["form", "exact", "componentwise", "precision class"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One quantity against the oracle. `error`, `bound` and `ratio` are those of the worst entry."""

    name: str
    """Of the GCN layer `forward`, `dX`, `dW`, `db`, `d_edge_weight`; of other layers also `dW_l`, `dW_r`, `da_src`,
    `da_dst`."""
    rule: Rule
    """What judged: the form of the tensor, Tier 0 (`exact`), Tier 1 (`componentwise`), Tier 2 (`precision
    class`)."""
    error: float
    """|got - expected|; NaN where got is NaN."""
    bound: float
    """0 where equality was due."""
    ratio: float
    """error ÷ bound: at most 1 passes. Infinite for anything that no bound can excuse."""
    where: str = ""
    """The worst entry in the words of the graph: `node 17, channel 3`."""
    index: tuple[int, ...] = ()
    """The worst entry's index."""
    expected: str = ""
    got: str = ""
    beyond: int = 0
    """How many entries are beyond their bound."""
    total: int = 0
    """How many entries were compared."""
    cause: str = ""
    """What most likely causes a failure; empty where no known cause fits the numbers."""
    by_bound: ByBound | None = None
    """Of one that failed to be equal: what decides for a layer whose inverse roots round."""

    @property
    def passed(self) -> bool:
        """Whether every entry is within its bound."""
        return self.ratio <= 1

    @property
    def summary(self) -> str:
        """One line."""
        if self.rule == "form":
            return f"{self.name}: expected {self.expected}, found {self.got}"
        if self.rule == "precision class":
            return (
                f"{self.name}: expected {self.expected}, found {self.got} (relative error {self.error:.2g})"
            )
        if self.passed:
            worst = f"{self.ratio:.2g} of the bound at {self.where}" if self.where else "nothing to compare"
            return f"{self.name}: {'bit for bit equal' if self.rule == 'exact' else worst}"
        excess = "" if self.rule == "exact" else f", {self.ratio:.2g} times the bound {self.bound:.2g}"
        return (
            f"{self.name}: {self.beyond:,} of {self.total:,} entries are wrong; worst at {self.where}: "
            f"expected {self.expected}, found {self.got} (error {self.error:.2g}{excess})"
        )


@dataclass(frozen=True, slots=True)
class ByBound:
    """What Tier 1 says of numbers that Tier 0 has refused, and what they are numbers of."""

    comparison: Comparison
    device: torch.device
    dtype: torch.dtype


def compare(
    name: Quantity,
    got: Any,
    oracle: Oracle,
    bound: Tensor | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Comparison:
    """Tier 1: `got` against the oracle, each entry within its own bound.

    Args:
        name: which quantity `got` is.
        got: what the backend gave. Anything but a finite dense tensor of the right shape, dtype and device
            fails.
        oracle: what is right.
        bound: float64, of the quantity's shape; the float32 bound of `gcn_bound` where left out.
        device: where `got` must be.
        dtype: what `got` must be.

    Raises:
        ValueError: where `bound` holds anything but finite numbers of at least 0, or has another shape.
    """
    expected = oracle.of(name)
    bound = gcn_bound(oracle, name, FP32) if bound is None else bound
    if bound.shape != expected.shape or (bound.numel() and not _usable(bound)):
        raise ValueError(
            f"bound: expected finite numbers of at least 0 in shape {list(expected.shape)}, "
            f"found shape {list(bound.shape)}"
        )
    wrong = misformed(name, got, expected.shape, device=torch.device(device), dtype=dtype)
    if wrong is not None:
        return wrong
    return entrywise(
        name,
        "componentwise",
        got,
        expected,
        bound,
        lambda values, beyond: likely_cause(name, values, beyond, oracle),
    )


def misformed(
    name: str, got: Any, shape: torch.Size, *, device: torch.device, dtype: torch.dtype
) -> Comparison | None:
    """A failed comparison where `got` is not a dense tensor of this shape, dtype and device, else None."""
    expected = f"a dense {dtype} tensor of shape {list(shape)} on {device}"
    if got is None:
        found = "none: it does not depend on this operand, or the forward result has the wrong form"
    elif not isinstance(got, Tensor):
        found = f"an object of type {type(got).__name__}"
    elif got.layout != torch.strided:
        found = f"a tensor of layout {got.layout}"
    elif got.shape != shape:
        found = f"shape {list(got.shape)}"
    elif got.dtype != dtype:
        found = f"{got.dtype}"
    elif got.device.type != device.type or device.index not in (None, got.device.index):
        found = f"a tensor on {got.device}"
    else:
        return None
    cause = ""
    if isinstance(got, Tensor) and len(shape) == 2 and got.shape == (shape[1], shape[0]) != shape:
        cause = "the result is transposed"
    return Comparison(
        name=name,
        rule="form",
        error=math.inf,
        bound=0.0,
        ratio=math.inf,
        expected=expected,
        got=found,
        cause=cause,
    )


@judging
def entrywise(
    name: str,
    rule: Rule,
    got: Tensor,
    expected: Tensor,
    bound: Tensor,
    diagnose: Callable[[Tensor, Tensor], str],
) -> Comparison:
    """Compare entry by entry.

    `diagnose(got, beyond)` is asked for a cause where an entry is beyond its bound. A NaN or an infinity in
    `got` is beyond any bound.
    """
    values = got.detach().to("cpu", torch.float64)
    error = (values - expected).abs()
    ratio = torch.where(bound > 0, error / bound, torch.where(error == 0, 0.0, math.inf))
    ratio = torch.where(torch.isfinite(values), ratio, math.inf)
    total = ratio.numel()
    if total == 0:
        return Comparison(name=name, rule=rule, error=0.0, bound=0.0, ratio=0.0)
    # Several may be infinitely wrong: of those, the one that is no number, or else the largest error.
    worst = float(ratio.max())
    rank = torch.where(ratio == worst, error.nan_to_num(nan=math.inf, posinf=math.inf), -1.0)
    index = tuple(int(i) for i in torch.unravel_index(rank.argmax(), ratio.shape))
    beyond = ~(ratio <= 1)
    return Comparison(
        name=name,
        rule=rule,
        error=float(error[index]),
        bound=float(bound[index]),
        ratio=worst,
        where=entry_name(name, index),
        index=index,
        expected=_number(expected[index], got.dtype),
        got=_number(values[index], got.dtype),
        beyond=int(beyond.sum()),
        total=total,
        cause=diagnose(values, beyond) if worst > 1 else "",
    )


def _usable(bound: Tensor) -> bool:
    # NaN propagates through both, and compares as neither.
    low, high = torch.aminmax(bound)
    return float(low) >= 0 and float(high) < math.inf


def _number(value: Tensor, dtype: torch.dtype) -> str:
    """Enough digits to tell neighbours in `dtype` apart."""
    digits = {torch.float64: 17, torch.float32: 9}.get(dtype, 6)
    return f"{float(value):.{digits}g}"
