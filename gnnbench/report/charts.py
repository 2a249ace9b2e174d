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
    "background": None,
    "font": "system-ui, sans-serif",
    "padding": {"left": 8, "right": 8, "top": 4, "bottom": 2},
    "view": {"stroke": None},
    "text": {"color": "currentColor", "fontSize": 12},
}
# Places for what a logarithmic axis can't hold, in decades from its ends.
_PIN = 0.75
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
        {"row": strip.name, "name": strip.name, "worst": f"worst {number(strip.worst.margin.ratio, 2)}"} for strip in strips
    ]
    x: Spec = {"field": "x", "type": "quantitative", "scale": {"domain": axis.domain, "nice": False}}
    y: Spec = {"field": "row", "type": "ordinal", "axis": None, "sort": [strip.name for strip in strips]}
    return {
        "width": WIDTH,
        "height": {"step": 38},
        "config": _CONFIG,
        "layer": [
            {
                "data": {"values": axis.ticks},
                "mark": {"type": "rule", **_INK},
                "encoding": {
                    "x": {**x, "axis": _tick_labels(axis.ticks)},
                    "opacity": {"condition": {"test": "datum.x == 0", "value": 0.9}, "value": 0.14},
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
    """A bar a row up to the median, with the interquartile range as a line where there are samples."""
    scale, rows = series.scale, series.rows[:MAX_ROWS]
    bars = []
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
    least = min(0.0, *(bar["low"] for bar in bars))
    x: Spec = {
        "field": "median",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [least, max(0.0, *(bar["high"] for bar in bars)) or 1], "nice": False},
    }
    y: Spec = {"field": "row", "type": "ordinal", "axis": None, "sort": None}
    return {
        "width": WIDTH,
        "height": {"step": 34},
        "config": _CONFIG,
        "data": {"values": bars},
        "layer": [
            *_names_above(None, y, "value"),
            {
                "mark": {"type": "bar", "height": 8, "yOffset": 8, "color": _BAR, "opacity": 0.55},
                "encoding": {"x": x, "x2": {"datum": 0}, "y": y},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2.5, "yOffset": 8, **_INK},
                "transform": [{"filter": "datum.high > datum.low"}],
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y},
            },
        ],
    }


class _LogAxis:
    """Decades that hold every finite ratio, with places for zero and infinity beside them."""

    def __init__(self, ratios: list[float]) -> None:
        logs = [math.log10(r) for r in ratios if 0 < r < math.inf]
        self.low = max(math.floor(min([-1.0, *logs])), _FLOOR)
        self.high = min(math.ceil(max([0.0, *logs])), _CEILING)
        zero, infinite = 0.0 in ratios, math.inf in ratios
        left = self.low - (_PIN if zero else 0.15)
        right = self.high + (_PIN if infinite else 0.15)
        self.domain = [left - (0.15 if zero else 0), right + (0.15 if infinite else 0)]
        decades = range(int(self.low), int(self.high) + 1)
        step = max(1, math.ceil(len(decades) / 7))
        self.ticks: list[Spec] = [
            {"x": d, "label": number(10.0**d, 1)} for d in decades if d % step == 0 or d == 0
        ]
        self.ticks += [{"x": self.low - _PIN, "label": "0"}] * zero
        self.ticks += [{"x": self.high + _PIN, "label": "∞"}] * infinite

    def place(self, ratio: float) -> float:
        """Where `ratio` stands, in decades; what is off the axis stands at its end."""
        if ratio <= 0:
            return self.low - _PIN
        if math.isinf(ratio):
            return self.high + _PIN
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


def _tick_labels(ticks: list[Spec]) -> Spec:
    labels = {str(tick["x"]): tick["label"] for tick in ticks}
    return {
        "values": [tick["x"] for tick in ticks],
        "labelExpr": f"({labels!r})[datum.value]",
        "labelColor": "currentColor",
        "labelFontSize": 12,
        "domain": False,
        "ticks": False,
        "grid": False,
        "labelPadding": 6,
        "title": None,
    }


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
