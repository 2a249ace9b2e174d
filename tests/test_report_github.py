"""Tests of gnnbench.report.github: annotations that say what they mean, a summary that is never too large."""

import re

import documents
import pytest

from gnnbench.report import annotation_lines, append_step_summary

MIB = 1024 * 1024


def unescaped(text):
    """What GitHub makes of a message."""
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_worst_findings_are_annotated():
    """One error a finding, with what was expected, what was found, and what to do."""
    lines = annotation_lines(documents.failing_run())

    assert len(lines) == 3
    assert all(line.startswith("::error title=") for line in lines)
    match = re.fullmatch(r"::error title=([^:,]*)::(.*)", lines[1])
    assert unescaped(match[1]) == "equivalence/exact/forward and 1 other"
    assert "expected: -12.0 at node 17" in unescaped(match[2])
    assert "the same in 11 more checks" in unescaped(match[2])


def test_no_text_breaks_out_of_its_command():
    """Percent signs, line breaks, colons and commas are escaped; an injected command is text."""
    (line,) = annotation_lines(documents.hostile_run())

    assert "\n" not in line
    assert "\r" not in line
    assert not re.search("%(?!25|0A|0D|3A|2C)", line)
    title, _, message = line.removeprefix("::error title=").partition("::")
    assert ":" not in title
    assert "," not in title
    assert "100%25 wrong: a, b%0A::error::injected" in message


def test_only_the_worst_few_are_annotated():
    """GitHub drops what is beyond ten a step: the last says how many there are besides."""
    lines = annotation_lines(documents.large_run(72, failed=1.0))

    assert len(lines) == 10
    assert "63 more findings" in lines[-1]


@pytest.mark.parametrize(
    ("name", "count"), [("good", 0), ("interrupted", 1), ("inconclusive", 1), ("empty", 1)]
)
def test_run_without_failures(name, count):
    """A good run says nothing; one that is not good for another reason says which."""
    assert len(annotation_lines(getattr(documents, f"{name}_run")())) == count


def test_summary_is_appended(tmp_path):
    """What the step said before stays."""
    path = tmp_path / "summary.md"
    path.write_text("before\n")

    append_step_summary(documents.failing_run(), path)

    text = path.read_text("utf-8")
    assert text.startswith("before\n\n### ❌ gnnbench")
    assert text.endswith("\n")


@pytest.mark.parametrize("taken", [0, MIB - 20_000, MIB - 1500, MIB])
def test_summary_never_passes_the_limit_of_the_step(tmp_path, taken):
    """Beyond 1 MiB GitHub drops everything that the step has said."""
    path = tmp_path / "summary.md"
    path.write_text("x" * taken)

    append_step_summary(documents.large_run(3000, failed=1.0), path)

    assert taken <= path.stat().st_size <= MIB
    assert (path.stat().st_size > taken) == (taken < MIB - 5000)
