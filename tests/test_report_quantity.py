"""Tests of gnnbench.report.quantity: numbers as people read them."""

import math
import sys

import pytest

from gnnbench.report.quantity import duration, moment, number, quantity, scale_for


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0123, "s", "12.3 ms"),
        (1e-9, "s", "1.00 ns"),
        (999.7e-6, "s", "1.00 ms"),
        (85520809984, "B", "79.6 GiB"),
        (67108864, "B", "64.0 MiB"),
        (512, "B", "512 B"),
        (2.9e9, "edge/s", "2.90 G edge/s"),
        (57344, "node", "57,344 node"),
        (81.5, "%", "81.5 %"),
        (0.00042, "edge/s", "0.0004 edge/s"),
        (0, "s", "0 s"),
        (-0.002, "s", "−2.00 ms"),
        (3.5, "ratio", "3.50"),
        (1e30, "B/s", "888,178,419,700,125 PiB/s"),
    ],
)
def test_quantity_has_prefix_and_three_digits(value, unit, expected):
    """SI prefixes for units, binary ones for bytes, none for counts and shares."""
    assert quantity(value, unit).replace("\xa0", " ") == expected


def test_one_scale_serves_a_whole_column():
    """Numbers that stand under one another share prefix and decimals, enough for the smallest of them."""
    scale = scale_for([2.9e9, 7.07e8], "edge/s")

    assert [scale.number(value) for value in (2.9e9, 7.07e8)] == ["2.900", "0.707"]
    assert scale.unit.replace("\xa0", " ") == "G edge/s"


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0.8349, 2, "0.83"),
        (0.0, 3, "0"),
        (12.0, 3, "12.0"),
        (1.2345e-7, 3, "1.23×10⁻⁷"),
        (1.1e6, 2, "1.1×10⁶"),
        (-3.0, 2, "−3.0"),
        (math.inf, 2, "∞"),
        (-math.inf, 2, "−∞"),
        (math.nan, 2, "NaN"),
    ],
)
def test_number_shows_what_is_not_finite(value, digits, expected):
    """Significant digits where they help, powers of ten beyond, words for what is no number."""
    assert number(value, digits) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.423, "0.42 s"),
        (4.21, "4.2 s"),
        (59.6, "1 min 0 s"),
        (221.4, "3 min 41 s"),
        (4321, "1 h 12 min"),
        (math.nan, "unknown"),
    ],
)
def test_duration_in_words(seconds, expected):
    """Two units at most, never sixty of one."""
    assert duration(seconds).replace("\xa0", " ") == expected


def test_moment_reads_iso_and_leaves_the_rest():
    """A document's time is UTC; anything else is shown as it is."""
    assert moment("2026-11-24T08:15:02Z") == "2026-11-24 08:15 UTC"
    assert moment("yesterday") == "yesterday"


@pytest.mark.parametrize("unit", ["s", "edge/s", "B", "%"])
def test_the_largest_and_the_smallest_number(unit):
    """A document may hold any float, and two such beside each other."""
    scale = scale_for([sys.float_info.max, 5e-324], unit)

    assert "e" not in scale.number(5e-324)
    assert len(quantity(sys.float_info.max, unit)) > 100
    assert quantity(5e-324, unit).startswith("0.0")
