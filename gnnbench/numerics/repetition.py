"""Answers to one question asked again and again: where they differ, in which bits, and what it says if none do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.numerics.layer import Quantity, entry_name

_WHOLE = {8: torch.int64, 4: torch.int32, 2: torch.int16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """The first entry in which an answer differs from what it should be."""

    quantity: Quantity
    where: str
    """`node 17, channel 3`."""
    expected: float
    got: float
    bits: tuple[int, ...]
    """Which bits differ, 0 the lowest of the fraction."""
    entries: int
    """How many entries differ."""

    @property
    def summary(self) -> str:
        """`forward at node 17, channel 3: 2.5 for 2, bit 21 differs; 1 entry in all`."""
        which = ("bit " if len(self.bits) == 1 else "bits ") + ", ".join(map(str, self.bits))
        verb = "differs" if len(self.bits) == 1 else "differ"
        return (
            f"{self.quantity} at {self.where}: {self.got:.9g} for {self.expected:.9g}, {which} {verb}; "
            f"{self.entries:,} {'entry' if self.entries == 1 else 'entries'} in all"
        )


def differing_bits(quantity: Quantity, got: Tensor, expected: Tensor) -> Disagreement | None:
    """Compare bit patterns, those of zeros and NaN too; None where all are the same.

    Both of one shape, dtype and device, where the comparison runs: the host sees a number only.

    Raises:
        ValueError: for tensors of different form.
    """
    if got.shape != expected.shape or got.dtype != expected.dtype or got.device != expected.device:
        raise ValueError(
            f"{quantity}: expected {expected.dtype} {list(expected.shape)} on {expected.device}, "
            f"found {got.dtype} {list(got.shape)} on {got.device}"
        )
    whole = _WHOLE[got.element_size()]
    patterns = [one.detach().contiguous().view(whole) for one in (got, expected)]
    return _first(quantity, got, expected, patterns[0] != patterns[1])


def differing_values(
    quantity: Quantity, got: Tensor, expected: Tensor, room: Tensor | None = None
) -> Disagreement | None:
    """The same by value: zeros of both signs are equal, and NaN equals nothing.

    Where `room` is given, float64 of the same shape, values that are no further apart than that count as equal.
    """
    if room is None:
        return _first(quantity, got, expected, got != expected)
    return _first(quantity, got, expected, ~((got.double() - expected.double()).abs() <= room))


def _first(quantity: Quantity, got: Tensor, expected: Tensor, wrong: Tensor) -> Disagreement | None:
    entries = int(wrong.sum())
    if entries == 0:
        return None
    index = tuple(int(i) for i in wrong.nonzero()[0])
    pair = torch.stack([got[index].detach(), expected[index].to(got)]).cpu()
    width = 8 * got.element_size()
    one, other = (int(pattern) for pattern in pair.view(_WHOLE[got.element_size()]))
    differing = (one ^ other) & ((1 << width) - 1)
    return Disagreement(
        quantity=quantity,
        where=entry_name(quantity, index),
        expected=float(expected[index]),
        got=float(got[index]),
        bits=tuple(bit for bit in range(width) if differing >> bit & 1),
        entries=entries,
    )


class Spread:
    """The range of each entry over repetitions; two results that are each within a bound of the truth lie within
    twice the bound of each other."""

    def __init__(self) -> None:
        self.low: Tensor | None = None
        self.high: Tensor | None = None

    def add(self, values: Tensor) -> None:
        """Take in one more result of the same shape."""
        values = values.detach().to("cpu", torch.float64)
        self.low = values if self.low is None else torch.minimum(self.low, values)
        self.high = values if self.high is None else torch.maximum(self.high, values)

    def worst(self, bound: Tensor) -> tuple[float, float, tuple[int, ...]]:
        """`(range, bound, index)` of the entry whose range is the largest share of its bound.

        A NaN counts as infinitely wide. Raises `ValueError` where nothing was added.
        """
        if self.low is None or self.high is None:
            raise ValueError("expected at least one result to have been added")
        width = torch.where(self.low == self.high, 0.0, self.high - self.low).nan_to_num(nan=torch.inf)
        share = torch.where(width == 0, 0.0, width / bound)
        if share.numel() == 0:
            return 0.0, 0.0, ()
        index = tuple(int(i) for i in torch.unravel_index(share.argmax(), share.shape))
        return float(width[index]), float(bound[index]), index


def rule_of_three(repetitions: int) -> float:
    """The rate below which a fault that was not met in so many repetitions lies, with 95 % confidence: 3/n.

    (1 - p)^n ≥ 0.05 holds for p ≤ -ln(0.05)/n, which is 2.996/n (Hanley & Lippman-Hand, JAMA 249, 1983). It
    takes repetitions to be independent: a fault that comes with heat or load is not met by waiting alone.

    Raises:
        ValueError: for fewer repetitions than 1.
    """
    if repetitions < 1:
        raise ValueError(f"repetitions = {repetitions}: expected 1 or more")
    return min(1.0, 3.0 / repetitions)
