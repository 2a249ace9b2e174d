"""What a check says while it runs. The plugin carries it to the Run document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gnnbench.record import Direction, Margin, Measurement, Scalar


class Evidence:
    """Collects margins, measurements and facts of one check; the `evidence` fixture hands it out."""

    def __init__(self) -> None:
        self.margins: list[Margin] = []
        self.measurements: list[Measurement] = []
        self.facts: dict[str, Any] = {}
        #: Where it ran, of a check that does not ask for a `device` but chooses one itself.
        self.device: str | None = None

    def margin(self, name: str, *, error: float, bound: float, rule: str = "", where: str = "") -> Margin:
        """Record how close one comparison came to its bound, and return it to be judged.

        Record first and judge afterwards, so that a failure shows its margin too.
        """
        margin = Margin(name=name, error=float(error), bound=float(bound), rule=rule, where=where)
        self.margins.append(margin)
        return margin

    def measure(
        self,
        name: str,
        samples: Sequence[float] | float,
        *,
        unit: str,
        direction: Direction,
        device: str,
        workload: str,
        noisy: bool = True,
        **params: Scalar,
    ) -> Measurement:
        """Record raw samples of one quantity; raises `ValueError` where one is not finite."""
        values = (samples,) if isinstance(samples, (int, float)) else samples
        measurement = Measurement(
            name=name,
            unit=unit,
            direction=direction,
            samples=tuple(float(value) for value in values),
            device=device,
            workload=workload,
            params=params,
            noisy=noisy,
        )
        self.measurements.append(measurement)
        return measurement

    def fact(self, name: str, value: Any) -> None:
        """Record something seen on the way; `value` is a plain JSON value."""
        self.facts[name] = value
