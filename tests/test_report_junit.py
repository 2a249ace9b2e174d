"""Tests of gnnbench.report.junit: what CI servers accept, and numbers that agree with the document."""

import re
from xml.etree import ElementTree

import documents
import pytest

from gnnbench.record import Outcome
from gnnbench.report.junit import render_junit

# The parts of Jenkins' junit-10.xsd (the schema of pytest's xunit2) that a report may use:
# element → (attributes that must be there, attributes that may, elements inside).
TEXT = frozenset()
SCHEMA = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors", "skipped"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {
            "skipped",
            "time",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "group",
            "log",
            "url",
            "version",
        },
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"classname", "time", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, TEXT),
    "error": (set(), {"type", "message"}, TEXT),
    "skipped": (set(), {"type", "message"}, TEXT),
    "system-out": (set(), set(), TEXT),
}


def validated(text):
    """The parsed document, after every element was held against the schema."""
    assert text.startswith('<?xml version="1.0" encoding="utf-8"?>')
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        required, allowed, inside = SCHEMA[element.tag]
        assert required <= set(element.attrib) <= required | allowed, (element.tag, element.attrib)
        assert {child.tag for child in element} <= inside
        for name in ("tests", "failures", "errors", "skipped"):
            assert element.get(name, "0").isdigit()
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))
    for suite in root:
        counted = {name: len(suite.findall(f"testcase/{name}")) for name in ("failure", "error", "skipped")}
        assert suite.attrib["tests"] == str(len(suite.findall("testcase")))
        assert [suite.attrib[name] for name in ("failures", "errors", "skipped")] == [
            str(counted[name]) for name in ("failure", "error", "skipped")
        ]
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(root.attrib[name]) == sum(int(suite.attrib[name]) for suite in root)
    return root


@pytest.mark.parametrize("name", ["good", "failing", "required_absent", "inconclusive", "large", "hostile"])
def test_complete_run_is_valid_and_counts_agree(name):
    """Each check is one case; what had to judge and could not is an error, and never a skip, which is green."""
    run = getattr(documents, f"{name}_run")()

    root = validated(render_junit(run))

    assert int(root.attrib["tests"]) == len(run.results)
    assert int(root.attrib["failures"]) == run.count(Outcome.FAILED)
    assert int(root.attrib["errors"]) == run.count(Outcome.INCONCLUSIVE)
    assert int(root.attrib["skipped"]) == run.count(Outcome.NOT_APPLICABLE)


@pytest.mark.parametrize("name", ["interrupted", "crashed", "running", "empty"])
def test_run_that_did_not_end_well_is_not_green(name):
    """A CI server that sees only what was judged would call it green: an error says how it ended."""
    run = getattr(documents, f"{name}_run")()

    root = validated(render_junit(run))

    assert int(root.attrib["errors"]) == 1 + run.count(Outcome.INCONCLUSIVE)
    assert int(root.attrib["tests"]) == len(run.results) + len(run.unfinished) + 1
    error = root.find(".//testcase[@name='the run']/error")
    assert error.attrib["message"]


def test_failure_carries_the_finding():
    """Expected, found, cause and remedy are in the failure; the log is in the output."""
    root = validated(render_junit(documents.failing_run()))
    case = root.find(".//testcase[@name='import[torch_sparse]']")

    failure = case.find("failure")

    assert case.attrib["classname"] == "environment.extensions"
    assert failure.attrib["message"] == "torch_sparse is installed and can't be imported"
    assert "found: undefined symbol" in failure.text
    assert "what to do: pip install --force-reinstall" in failure.text
    assert "run it alone: gnnbench run" in failure.text
    assert "Captured stdout call" in case.find("system-out").text


def test_skip_carries_its_reason():
    """No skip is silent."""
    root = validated(render_junit(documents.failing_run()))

    skips = [*root.findall(".//skipped"), *root.findall(".//error")]

    assert {skip.attrib["type"] for skip in skips} == {"gnnbench.inconclusive", "gnnbench.not_applicable"}
    assert all(skip.attrib["message"] for skip in skips)
    assert any("needs: cuda:8" in skip.text for skip in skips)


def test_what_xml_cannot_hold_is_removed():
    """Control characters and broken bytes would make the file unreadable to its readers."""
    text = render_junit(documents.hostile_run())

    root = validated(text)

    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", text)
    assert "<script>alert(1)</script>" in root.find(".//testcase").attrib["name"]
    assert "\\xff byte" in root.find(".//failure").text


def test_logs_share_what_a_server_can_hold():
    """Three thousand long logs are cut to a few megabytes; a single one keeps its end and most of itself."""
    few = documents.large_run(8, failed=0.125, log="x" * 30_000 + "the error")
    many = documents.large_run(3000, failed=1.0, log="x" * 30_000 + "the error", text="y" * 3000)

    (alone,) = validated(render_junit(few)).findall(".//system-out")

    assert len(alone.text) > 15_000
    assert alone.text.endswith("the error")
    assert len(render_junit(many)) < 30_000_000
