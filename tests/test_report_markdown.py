"""Tests of gnnbench.report.markdown: within the size that forges take, and no text that becomes markup."""

import re

import documents
import pytest

from gnnbench.report.markdown import MAX_BYTES, render_markdown

CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)


def outside_code(text):
    """The Markdown without its fenced blocks and code spans."""
    return CODE.sub("", re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE))


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
def test_summary_is_well_formed(name):
    """Headings from the third level down, details that open and close, tables with as many cells in every row."""
    text = render_markdown(getattr(documents, f"{name}_run")())

    bare = outside_code(text)
    assert text.startswith("### ")
    assert all(re.match(r"#{3,6} ", line) for line in bare.splitlines() if line.startswith("#"))
    assert bare.count("<details>") == bare.count("</details>") == bare.count("<summary>")
    for table in re.findall(r"(?:^\|.*\|\n)+", bare, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(widths) == 1, table


def test_summary_says_what_failed_and_what_to_do():
    """The verdict, the findings with their remedies, and what did not judge."""
    text = render_markdown(documents.failing_run())

    assert "### ❌ gnnbench: Not good: 14 of 404 checks failed, 2 could not judge" in text
    assert (
        '- What to do: Bind with `self_loops="add"`, or use `edge_index` instead of a sparse tensor.' in text
    )
    assert "needs `package:torch_cluster`" in text
    assert "| equivalence | 348 | 12 | 0 | 0 |" in text


@pytest.mark.parametrize("size", [2000, 10_000, MAX_BYTES])
def test_size_is_kept_and_the_cut_is_said(size):
    """However large the run, the summary fits, ends with a whole block, and says that it was cut."""
    run = documents.large_run(3000, failed=1.0, log="`" * 5000, text="\U0001f600" * 300)

    text = render_markdown(run, max_bytes=size)

    assert len(text.encode()) <= size
    assert "Cut here to stay within the size" in text.splitlines()[-1]
    assert text.startswith("### ❌ gnnbench: Not good: 3000 of 3000 checks failed")
    bare = outside_code(text)
    assert bare.count("<details>") == bare.count("</details>")


def test_small_run_is_not_cut():
    """What fits is whole."""
    assert "Cut here" not in render_markdown(documents.failing_run())


def test_hostile_text_is_no_markup():
    """No tag, no link, no table cell and no end of a fence comes from the document."""
    text = render_markdown(documents.hostile_run())

    bare = outside_code(text)
    assert set(re.findall(r"(?<!\\)<(/?\w+)", bare)) <= {"details", "/details", "summary", "/summary"}
    assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\u202e]", text)
