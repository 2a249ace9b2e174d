"""Numbers for people: sensible digits, SI and binary prefixes, durations, dates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

# Between a number and its unit, so that a line never breaks there.
NBSP = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SI = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi")
# Symbols that a prefix attaches to; before a plain word it stands apart: `12.4 M edge/s`.
_SYMBOLS = {"s", "Hz", "W", "J", "V", "A", "FLOP", "FLOP/s", "FLOPS", "bit/s", "op/s"}
_BYTES = {"B", "B/s"}
# 999.7 µs would be rounded to 1,000 µs: with half of the last digit more it is 1.00 ms.
_UP = 1.0005
#: Counts below this are written out.
_WHOLE = 1e9
_UNSCALED = {"", "%", "°C", "1", "ratio", "x", "count"}
_LABELS = {"1": "", "ratio": "", "count": "", "x": "×"}


@dataclass(frozen=True, slots=True)
class Scale:
    """One unit and one number of decimals for numbers that stand under one another."""

    factor: float
    unit: str
    decimals: int

    def number(self, value: float) -> str:
        """`value` in this scale, without the unit."""
        return _signed(f"{value / self.factor:,.{self.decimals}f}")

    def text(self, value: float) -> str:
        """`value` with its unit."""
        number = self.number(value)
        return f"{number}{NBSP}{self.unit}" if self.unit else number


def scale_for(values: Iterable[float], unit: str) -> Scale:
    """A scale in which the largest of `values` has one to three digits before the point.

    Decimals are enough for three significant digits of the smallest that is not zero, at most four.
    """
    # Scaled, the largest of all floats would be infinite and the smallest 0, which have no logarithm that is a number.
    sizes = [min(max(abs(value), 1e-300), 1e300) for value in values if value and math.isfinite(value)]
    largest, smallest = max(sizes, default=1.0), min(sizes, default=1.0)
    if unit in _BYTES:
        power = min(max(int(math.log2(largest) // 10), 0), len(_BINARY) - 1)
        factor, label = float(1024**power), _BINARY[power] + unit
    elif unit in _UNSCALED:
        factor, label = 1.0, _LABELS.get(unit, unit)
    elif unit not in _SYMBOLS and largest < _WHOLE and all(float(size).is_integer() for size in sizes):
        # A count is a whole number, and its last digit may matter: 57,344 nodes.
        factor, label = 1.0, unit
    else:
        exponent = min(max(int(math.log10(largest * _UP) // 3) * 3, -12), 15)
        # Thousandths of a plain word read worse than 0.004 of it.
        exponent = exponent if unit in _SYMBOLS else max(exponent, 0)
        gap = NBSP if unit not in _SYMBOLS and _SI[exponent] else ""
        factor, label = 10.0**exponent, _SI[exponent] + gap + unit
    digits = 2 - math.floor(math.log10(smallest / factor * _UP))
    whole = all(float(size).is_integer() for size in sizes)
    decimals = 0 if factor == 1 and whole else min(max(digits, 0), 4)
    return Scale(factor, label, decimals)


def quantity(value: float, unit: str) -> str:
    """One number with its unit: `12.4 ms`, `79.6 GiB`, `81.5 %`."""
    return scale_for([value], unit).text(value)


def number(value: float, digits: int = 3) -> str:
    """`value` to `digits` significant digits; very large and very small ones as powers of ten."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 < exponent < 4 or (exponent == 4 and digits > 1):
        return _signed(f"{value:,.{max(digits - 1 - exponent, 0)}f}")
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return _signed(f"{mantissa}×10{str(int(power)).translate(_SUPERSCRIPTS)}")


def duration(seconds: float) -> str:
    """`0.42 s`, `38 s`, `3 min 41 s`, `1 h 12 min`."""
    if not math.isfinite(seconds) or seconds < 0:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.2f}{NBSP}s" if seconds < 1 else f"{seconds:.1f}{NBSP}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}{NBSP}h {minutes}{NBSP}min"
    return f"{minutes}{NBSP}min {rest}{NBSP}s" if minutes else f"{whole}{NBSP}s"


def moment(iso: str) -> str:
    """`2026-11-24 08:15 UTC` for an ISO 8601 time; any other text as it is."""
    try:
        when = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return iso
    zone = "UTC" if iso.endswith(("Z", "+00:00")) else when.strftime("%Z")
    return f"{when:%Y-%m-%d %H:%M} {zone}".strip()


def _signed(text: str) -> str:
    return text.replace("-", _MINUS)
