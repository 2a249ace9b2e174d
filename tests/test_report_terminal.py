"""Tests of gnnbench.report.terminal: the verdict in a screenful."""

import re

import documents
import pytest

from gnnbench.record import verdict
from gnnbench.report import terminal_verdict

ANSI = re.compile(r"\x1b\[\d+m")


@pytest.mark.parametrize(
    "name",
    [
        "good",
        "failing",
        "required_absent",
        "interrupted",
        "crashed",
        "running",
        "empty",
        "inconclusive",
        "hostile",
    ],
)
def test_verdict_fits_a_screen(name):
    """It starts with the headline, is short and narrow, and colour changes nothing but colour."""
    run = getattr(documents, f"{name}_run")()

    text = terminal_verdict(run, "reports/x")
    colored = terminal_verdict(run, "reports/x", color=True)

    assert text.startswith(verdict(run).headline)
    assert len(text.splitlines()) <= 36
    assert ANSI.sub("", colored) == text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)
    assert text.endswith("reports/x/report.html")


def test_failure_says_why_and_what_to_do():
    """Check, what was expected and found, cause, remedy, and the command for it alone."""
    text = terminal_verdict(documents.failing_run())

    for wanted in (
        "FAILED  environment/extensions/import[torch_sparse]",
        "  expected      an import without a warning",
        "  likely cause  It was built for another torch.",
        "  what to do    pip install --force-reinstall --no-build-isolation torch-sparse",
        "FAILED  equivalence/exact/forward and 1 other (12 checks)",
        "And 2 more findings: precision/training/autocast[bf16-cuda:1], throughput/spmm/forward",
        "Not judged    4 checks not applicable, for want of package:torch_cluster",
    ):
        assert wanted in text


def test_missing_device_is_told_once():
    """Five checks that want one GPU are one finding."""
    text = terminal_verdict(documents.required_absent_run())

    assert text.count("REQUIRED BUT ABSENT") == 1
    assert "(5 checks)" in text


def test_good_run_says_how_good():
    """Suites, the closest margin, and that there is nothing to do."""
    text = terminal_verdict(documents.good_run())

    assert re.search(r"environment +16 passed +0 failed +2 not applicable", text)
    assert re.search(r"the closest came to \d+ % of its bound", text.replace("\xa0", " "))
    assert "What to do    Nothing." in text


def test_color_is_for_those_who_ask():
    """Without it there is not one escape."""
    assert "\x1b" not in terminal_verdict(documents.failing_run())
    assert "\x1b[31m" in terminal_verdict(documents.failing_run(), color=True)
