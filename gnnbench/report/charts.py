"""The figures: how close the numbers came to their bounds, and what was measured.

Each is 360 px wide, so that a phone shows it without scrolling; names stand above their strips. Ink is
`currentColor`, so that a page that turns dark turns the figure too; the hues have a contrast of at least 3
on white and on near-black. What is beyond a bound differs in shape as well as in hue.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from gnnbench.report.margins import Margins, Strip
from gnnbench.report.measurements import Series
from gnnbench.report.quantity import number
from gnnbench.report.vega import Spec

WIDTH = 344
#: More rows than this stand in the table only.
MAX_ROWS = 24

_WITHIN, _BEYOND, _BAR = "#3d83c5", "#d9483b", "#3d83c5"
_INK: Spec = {"color": "currentColor"}
_CONFIG: Spec = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "padding": {"left": 8, "right": 8, "top": 4, "bottom": 2},
    "view": {"stroke": None},
    "text": {"color": "currentColor", "fontSize": 12},
}
_AXIS: Spec = {
    "labelColor": "currentColor",
    "labelFontSize": 12,
    "labelPadding": 6,
    "domain": False,
    "ticks": False,
    "grid": False,
    "title": None,
}
# A smallest of this share of the largest or more makes bars that look alike.
_ALIKE = 0.6
# Places for what a logarithmic axis can't hold: so much of its length beyond its ends.
_PIN = 0.1
_FLOOR, _CEILING = -6.0, 6.0
# Dots nearer than this, in decades, are one dot.
_RESOLUTION = 0.03


def margins_figure(margins: Margins) -> Spec:
    """A strip of dots a backend, error ÷ bound on a logarithmic axis, with the bound as a line.

    Bit-identical results stand at `0`, unequal or not finite ones at `∞`.
    """
    strips = margins.strips[:MAX_ROWS]
    ratios = [c.margin.ratio for strip in strips for c in strip.comparisons]
    axis = _LogAxis(ratios)
    dots = [dot for strip in strips for dot in _dots(strip, axis)]
    names = [
        {"row": strip.name, "name": strip.name, "worst": f"worst {number(strip.worst.margin.ratio, 2)}"}
        for strip in strips
    ]
    x: Spec = {"field": "x", "type": "quantitative", "scale": {"domain": axis.domain, "nice": False}}
    y: Spec = {"field": "row", "type": "ordinal", "axis": None, "sort": [strip.name for strip in strips]}
    return {
        "width": WIDTH,
        "height": {"step": 38},
        "config": _CONFIG,
        "layer": [
            {
                "data": {"values": [{**tick, "row": strip.name} for strip in strips for tick in axis.ticks]},
                "mark": {"type": "tick", "orient": "vertical", "size": 16, "yOffset": 8, **_INK},
                "encoding": {
                    "x": {**x, "axis": _tick_labels(axis.ticks)},
                    "y": y,
                    "opacity": {"condition": {"test": "datum.x == 0", "value": 1}, "value": 0.2},
                },
            },
            {
                "data": {"values": [{"x": 0}]},
                "mark": {"type": "text", "text": "bound", "y": 0, "dy": -8, "fontWeight": 600, **_INK},
                "encoding": {"x": x},
            },
            *_names_above(names, y, "worst"),
            {
                "data": {"values": dots},
                "mark": {"type": "point", "filled": True, "yOffset": 8, "opacity": 0.75},
                "encoding": {
                    "x": x,
                    "y": y,
                    "size": {"field": "size", "type": "quantitative", "scale": None, "legend": None},
                    "color": {"condition": {"test": "datum.beyond", "value": _BEYOND}, "value": _WITHIN},
                    "shape": {"condition": {"test": "datum.beyond", "value": "diamond"}, "value": "circle"},
                },
            },
        ],
    }


def series_figure(series: Series) -> Spec:
    """A bar or a dot a row at the median, with the interquartile range as a line where there are samples."""
    scale, rows = series.scale, series.rows[:MAX_ROWS]
    bars: list[dict[str, Any]] = []
    for index, row in enumerate(rows):
        low, high = row.measurement.quartiles
        bars.append(
            {
                "row": index,
                "name": row.label,
                "median": row.measurement.median / scale.factor,
                "low": low / scale.factor,
                "high": high / scale.factor,
                "value": scale.number(row.measurement.median),
            }
        )
    highest, lowest = max(bar["high"] for bar in bars), min(bar["low"] for bar in bars)
    # Bars begin at zero or they lie; where all are alike that hides what differs, so those are dots.
    alike = lowest > _ALIKE * highest > 0
    margin = 0.08 * (highest - lowest or highest)
    domain = [lowest - margin, highest + margin] if alike else [min(0.0, lowest), max(0.0, highest) or 1.0]
    axis: Spec | None = {**_AXIS, "tickCount": 4} if alike else None
    scaled: Spec = {
        "type": "quantitative",
        "axis": axis,
        "scale": {"domain": domain, "nice": False, "zero": False},
    }
    y: Spec = {"field": "row", "type": "ordinal", "axis": None, "sort": None}
    spread: Spec = {
        "mark": {"type": "rule", "strokeWidth": 2, "yOffset": 8, "color": _BAR if alike else "currentColor"},
        "transform": [{"filter": "datum.high > datum.low"}],
        "encoding": {"x": {**scaled, "field": "low"}, "x2": {"field": "high"}, "y": y},
    }
    bar: Spec = {
        "mark": {"type": "bar", "height": 8, "yOffset": 8, "color": _BAR, "opacity": 0.6},
        "encoding": {"x": {**scaled, "field": "median"}, "x2": {"datum": 0}, "y": y},
    }
    dot: Spec = {
        "mark": {"type": "point", "filled": True, "yOffset": 8, "size": 80, "color": _BAR, "opacity": 1},
        "encoding": {"x": {**scaled, "field": "median"}, "y": y},
    }
    return {
        "width": WIDTH,
        "height": {"step": 34},
        "config": _CONFIG,
        "data": {"values": bars},
        "layer": [*_names_above(None, y, "value"), *([spread, dot] if alike else [bar, spread])],
    }


class _LogAxis:
    """Decades that hold every finite ratio, with places for zero and infinity beside them."""

    def __init__(self, ratios: list[float]) -> None:
        logs = [math.log10(r) for r in ratios if 0 < r < math.inf]
        self.low = max(math.floor(min([-1.0, *logs])), _FLOOR)
        self.high = min(math.ceil(max([0.0, *logs])), _CEILING)
        zero, infinite = 0.0 in ratios, math.inf in ratios
        length = self.high - self.low
        # Room for half a dot, or for the place beyond the end with half a dot.
        self.zero, self.infinite = self.low - _PIN * length, self.high + _PIN * length
        self.domain = [
            self.low - length * (0.02 + _PIN * zero),
            self.high + length * (0.03 + _PIN * infinite),
        ]
        decades = range(int(self.low), int(self.high) + 1)
        step = max(1, math.ceil(len(decades) / 7))
        self.ticks: list[Spec] = [{"x": d, "label": _decade(d)} for d in decades if d % step == 0 or d == 0]
        self.ticks += [{"x": self.zero, "label": "0"}] * zero
        self.ticks += [{"x": self.infinite, "label": "∞"}] * infinite

    def place(self, ratio: float) -> float:
        """Where `ratio` stands, in decades; what is off the axis stands at its end."""
        if ratio <= 0:
            return self.zero
        if math.isinf(ratio):
            return self.infinite
        return min(max(math.log10(ratio), self.low), self.high)


def _dots(strip: Strip, axis: _LogAxis) -> list[Spec]:
    """One dot for all that would cover one another, larger where there are more."""
    places = Counter(
        (round(axis.place(c.margin.ratio) / _RESOLUTION), not c.margin.passed) for c in strip.comparisons
    )
    return [
        {
            "row": strip.name,
            "x": round(place * _RESOLUTION, 3),
            "beyond": beyond,
            "size": 28 + (34 if beyond else 0) + min(18 * math.log2(count), 90),
        }
        for (place, beyond), count in places.items()
    ]


def _decade(exponent: int) -> str:
    """`0.01`, `100`, `10⁶`."""
    return number(10.0**exponent, 1) if abs(exponent) <= 3 else number(10.0**exponent, 1).removeprefix("1×")


def _tick_labels(ticks: list[Spec]) -> Spec:
    labels = {str(tick["x"]): tick["label"] for tick in ticks}
    return {**_AXIS, "values": [tick["x"] for tick in ticks], "labelExpr": f"({labels!r})[datum.value]"}


def _names_above(values: list[dict[str, Any]] | None, y: Spec, right: str) -> list[Spec]:
    """Each row's name at the left above its strip, and the text of field `right` at the right."""
    data: Spec = {} if values is None else {"data": {"values": values}}
    return [
        {
            **data,
            "mark": {"type": "text", "align": "left", "dy": -7, "limit": WIDTH * 0.68, **_INK},
            "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "name"}},
        },
        {
            **data,
            "mark": {"type": "text", "align": "right", "dy": -7, "opacity": 0.75, **_INK},
            "encoding": {"x": {"value": WIDTH}, "y": y, "text": {"field": right}},
        },
    ]
