"""Tests of gnnbench.report.charts and vega: valid specifications, safe drawings, nothing lost off an axis."""

import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import documents
import pytest

from gnnbench.record import Margin, Outcome, Result
from gnnbench.report import charts, vega
from gnnbench.report.margins import margins_of
from gnnbench.report.measurements import series_of

needs_renderer = pytest.mark.skipif(not vega.available(), reason="vl-convert is not installed")


def specifications():
    """Every figure of every document."""
    for run in (documents.failing_run(), documents.hostile_run(), documents.large_run(200)):
        yield charts.margins_figure(margins_of(run))
        yield from (charts.series_figure(series) for series in series_of(run))


def test_specifications_are_valid():
    """The renderer ignores what it does not know, so the schema has to say that nothing is misspelt."""
    altair = pytest.importorskip("altair")

    for spec in specifications():
        altair.Chart.from_dict(spec)


@needs_renderer
def test_drawings_have_presentation_attributes_only():
    """No style, script, class, handler or reference gets from the renderer to the page."""
    for spec in specifications():
        root = ElementTree.fromstring(vega.draw(spec, "label"))
        names = {name for element in root.iter() for name in element.attrib}
        assert not {name for name in names if name.startswith("on")} & names
        assert not names & {"style", "class", "href", "{http://www.w3.org/1999/xlink}href"}
        assert {element.tag for element in root.iter()} <= {
            "svg",
            "g",
            "path",
            "line",
            "rect",
            "text",
            "tspan",
        }
        assert root.attrib["role"] == "img"


@needs_renderer
def test_every_strip_is_named_and_the_bound_is_drawn():
    """The figure shows each source by name, and where the bound lies."""
    margins = margins_of(documents.good_run())

    svg = vega.draw(charts.margins_figure(margins), "label")

    texts = re.findall(r">([^<]+)</text>", svg)
    assert {strip.name for strip in margins.strips} <= set(texts)
    assert "bound" in texts
    assert "#3d83c5" in svg
    assert "#d9483b" not in svg


def dots_of(*pairs):
    """The dots of a figure of comparisons with these (error, bound), by place."""
    made = tuple(Margin(name="q", error=error, bound=bound) for error, bound in pairs)
    run = documents.run_of(
        [Result(id="s/a/x", suite="s", tier="smoke", outcome=Outcome.FAILED, margins=made)],
    )
    spec = charts.margins_figure(margins_of(run))
    layer = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "point")
    domain = layer["encoding"]["x"]["scale"]["domain"]
    return sorted(layer["data"]["values"], key=lambda dot: dot["x"]), domain


def test_zero_and_infinity_have_places_of_their_own():
    """Exact agreement, tiny and huge ratios, infinity and NaN all stand on the axis, in order."""
    dots, (left, right) = dots_of((0.0, 0.0), (1e-30, 1.0), (0.5, 1.0), (1e30, 1.0), (math.nan, 1.0))

    places = [dot["x"] for dot in dots]

    assert len(set(places)) == 5
    assert left < places[0]
    assert places[-1] < right
    assert [dot["beyond"] for dot in dots] == [False, False, False, True, True]


def test_equal_comparisons_are_one_larger_dot():
    """Thousands of comparisons make few dots, so that a page stays small; their size says how many."""
    dots, _ = dots_of(*[(0.1, 1.0)] * 4000, (0.9, 1.0))

    many, one = dots
    assert many["size"] > one["size"]


def test_bars_begin_at_zero_and_dots_may_not():
    """Where the rows differ, bars from zero; where they are alike, dots on an axis that shows the difference."""
    by_name = {(s.name, s.workload): s for s in series_of(documents.good_run())}

    rates = charts.series_figure(by_name["edges_per_second", "gcn-forward"])
    accuracies = charts.series_figure(by_name["test_accuracy", "gcn-cora"])

    assert [layer["mark"]["type"] for layer in rates["layer"]] == ["text", "text", "bar", "rule"]
    assert [layer["mark"]["type"] for layer in accuracies["layer"]] == ["text", "text", "rule", "point"]
    assert rates["layer"][2]["encoding"]["x"]["scale"]["domain"][0] == 0
    assert accuracies["layer"][3]["encoding"]["x"]["axis"] is not None


@needs_renderer
def test_warm_up_draws_in_a_thread():
    """It may run beside other work, and imports no torch and no numpy."""
    program = (
        "import sys, threading\nfrom gnnbench.report import warm_up\n"
        "thread = threading.Thread(target=warm_up); thread.start(); thread.join()\n"
        "assert warm_up() is True\n"
        "assert not {'torch', 'numpy', 'altair'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
