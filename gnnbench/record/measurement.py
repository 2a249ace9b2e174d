"""Numbers a check leaves behind: how close it came to its bound, and what it measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Direction = Literal["lower", "higher"]
Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How close one comparison came to its bound.

    `error` and `bound` are in the units of the compared quantity; `bound == 0` means that the two had
    to be equal bit for bit. Either may be infinite or NaN when the output under test was.
    """

    name: str
    """What was compared: `forward`, `dX`, `dW`, `db`, `loss`."""
    error: float
    """The error at the entry where error ÷ bound is largest."""
    bound: float
    """The bound at that entry."""
    rule: str = ""
    """Which rule gave the bound: `exact`, `componentwise`, `precision class`."""
    where: str = ""
    """The worst entry in the words of the graph: `node 17, channel 3`."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Error ÷ bound: at most 1 passes. Unequal where equality was due is infinite."""
        if math.isnan(self.error) or math.isnan(self.bound):
            return math.inf
        if self.bound == 0:
            return 0.0 if self.error == 0 else math.inf
        return self.error / self.bound

    @property
    def passed(self) -> bool:
        """Whether the error is within the bound."""
        return self.ratio <= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Raw samples of one quantity. Statistics are computed when asked for and never stored.

    Two measurements may be compared only where `key` agrees.
    """

    name: str
    """The quantity: `step_time`, `edges_per_second`, `peak_memory`, `test_accuracy`."""
    unit: str
    """SI symbol or plain word: `s`, `B`, `edge/s`, `%`."""
    direction: Direction
    """Which way is better."""
    samples: tuple[float, ...]
    """One finite number a sample, in the order taken. Never empty."""
    device: str
    """`cpu`, `cuda:0`."""
    workload: str
    """What ran, stable across versions: `gcn-training-step`."""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    """What the workload ran with: `{"backend": "csr", "nodes": 100000}`."""
    noisy: bool = True
    """False for counters, which repeat exactly and may be gated exactly."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError(f"measurement {self.name!r}: expected at least one sample, found none")
        for index, sample in enumerate(self.samples):
            if not math.isfinite(sample):
                raise ValueError(
                    f"measurement {self.name!r}: expected finite samples, found {sample} at index {index}"
                )

    @property
    def key(self) -> tuple[str, str, str, str, tuple[tuple[str, Scalar], ...]]:
        """What must agree for two measurements to be comparable."""
        return (self.workload, self.name, self.unit, self.device, tuple(sorted(self.params.items())))

    @property
    def median(self) -> float:
        """The middle sample, in `unit`."""
        return statistics.median(self.samples)

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile, in `unit` (inclusive method); both the sample where there is one."""
        if len(self.samples) == 1:
            return (self.samples[0], self.samples[0])
        first, _, third = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (first, third)
