"""Measurements gathered by quantity, so that those with one unit stand under one another."""

from __future__ import annotations

from dataclasses import dataclass

from gnnbench.record import Direction, Measurement, Result, Run, Scalar
from gnnbench.report.findings import family
from gnnbench.report.quantity import Scale, scale_for
from gnnbench.report.text import one_line


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement with what tells it from its neighbours."""

    label: str
    measurement: Measurement
    result: Result


@dataclass(frozen=True, slots=True)
class Series:
    """Measurements of one quantity of one workload."""

    name: str
    workload: str
    unit: str
    direction: Direction
    shared: str
    """The parameters on which all rows agree."""
    rows: tuple[Row, ...]
    """Best first."""

    @property
    def title(self) -> str:
        """The quantity in words."""
        return self.name.replace("_", " ")

    @property
    def better(self) -> str:
        """Which direction is better, in words."""
        return f"{self.direction} is better"

    @property
    def scale(self) -> Scale:
        """One scale for all rows."""
        return scale_for((row.measurement.median for row in self.rows), self.unit)

    @property
    def sampled(self) -> bool:
        """Whether any row has enough samples to show a spread."""
        return any(len(row.measurement.samples) > 1 for row in self.rows)

    @property
    def noisy(self) -> bool:
        """Whether the numbers vary from run to run."""
        return any(row.measurement.noisy for row in self.rows)


def series_of(run: Run) -> tuple[Series, ...]:
    """The measurements of `run` by workload and quantity, in the order they were first taken."""
    groups: dict[tuple[str, str, str, Direction], list[tuple[Result, Measurement]]] = {}
    for result, measurement in run.measurements():
        key = (measurement.workload, measurement.name, measurement.unit, measurement.direction)
        groups.setdefault(key, []).append((result, measurement))
    return tuple(_series(key, members) for key, members in groups.items())


def _series(key: tuple[str, str, str, Direction], members: list[tuple[Result, Measurement]]) -> Series:
    workload, name, unit, direction = key
    attributes = [{**m.params, "device": m.device} for _, m in members]
    names = dict.fromkeys(name for attribute in attributes for name in attribute)
    # One row has nothing to be told from: its device is its name.
    differing = [
        name
        for name in names
        if (name == "device" and len(members) == 1)
        or len({repr(attribute.get(name)) for attribute in attributes}) > 1
    ]
    labels = [_label(attribute, differing) for attribute in attributes]
    rows = [
        # Two checks may measure the same thing; then the check tells them apart.
        Row(
            f"{label} · {family(result)}".removeprefix("all · ") if labels.count(label) > 1 else label,
            measurement,
            result,
        )
        for label, (result, measurement) in zip(labels, members, strict=True)
    ]
    rows.sort(key=lambda row: row.measurement.median, reverse=direction == "higher")
    agreed = [f"{_word(name)} {_value(attributes[0][name])}" for name in names if name not in differing]
    return Series(name, workload, unit, direction, ", ".join(agreed), tuple(rows))


def _label(attribute: dict[str, Scalar], names: list[str]) -> str:
    # A backend or a device speaks for itself; a number needs its name.
    parts = [
        _value(value) if isinstance(value, str) else f"{_word(name)} {_value(value)}"
        for name in names
        if (value := attribute.get(name)) is not None
    ]
    return " · ".join(parts) or "all"


def _word(name: str) -> str:
    return one_line(name).replace("_", " ")


def _value(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else one_line(str(value))
