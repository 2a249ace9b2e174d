"""gnnbench.report.diff: the difference in words, for a terminal, a pull request, a browser and a program."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import documents
import pytest
from history_cases import document

from gnnbench.history import Weight, compare
from gnnbench.history.checks import GROWTH
from gnnbench.record import Environment, Fact, Outcome, dumps, loads
from gnnbench.report.diff import (
    diff_summary,
    render_diff_html,
    render_diff_markdown,
    render_diff_text,
    write_diff,
)
from gnnbench.report.diff.words import MEANING, check_rows, headline, places

NAMES = ("old/run.json", "new/run.json")
_VOID = {"meta", "wbr", "path", "rect", "br"}


@pytest.fixture(scope="module")
def failing():
    """A good run, and one of the same image in which checks fail."""
    return compare(documents.good_run(), documents.failing_run())


@pytest.fixture(scope="module")
def hostile():
    """Documents whose every text would break out: titles, values, names of packages, ids, reasons."""
    first, second = (loads(dumps(documents.hostile_run())) for _ in range(2))
    facts = {
        key: dataclasses.replace(
            fact, title=f"{fact.title}\n::error::`|<img>", value="<script>\n\x1b[0m", error=""
        )
        for key, fact in second.environment.facts.items()
    }
    for run, size in ((first, 2**32), (second, 2**26)):
        run.environment.facts["limits.shm_size"] = Fact(
            value=size, title="<img>\n|", group="limits", unit="B"
        )
    facts["limits.shm_size"] = second.environment.facts["limits.shm_size"]
    packages = dict.fromkeys(second.environment.packages, "2\n| <img>")
    environment = dataclasses.replace(second.environment, facts=facts, packages=packages)
    passed = tuple(dataclasses.replace(one, outcome=Outcome.PASSED, finding=None) for one in first.results)
    return compare(
        dataclasses.replace(first, results=passed), dataclasses.replace(second, environment=environment)
    )


def test_the_headline_counts():
    """Checks first, then changes by weight; one and many."""
    first = {"limits.shm_size": 2**32, "torch.blas": "mkl", "packages.idna": "3.4"}
    second = {"limits.shm_size": 2**26, "torch.blas": "open", "packages.idna": "3.6"}
    assert headline(compare(document(first), document(second))) == (
        "Different",
        "3 changes: 1 can break, 1 can change results, 1 of no known consequence",
    )
    assert headline(compare(document(first), document(first)))[0] == "Same"


def test_checks_with_one_cause_are_one_row(failing):
    """Twelve failures of one backend are told once, with what to do."""
    rows = check_rows(failing.checks)

    assert [(row.turn, len(row.results)) for row in rows] == [
        ("fails now", 1), ("fails now", 12), ("fails now", 1), ("no longer judged", 2)
    ]  # fmt: skip
    assert all(row.reason and row.fix for row in rows)


def test_no_line_is_longer_than_the_terminal(changed):
    """Headings and long names too."""
    assert max(map(len, render_diff_text(changed, NAMES, width=60).splitlines())) <= 60


def test_a_terminal_is_told_all(failing):
    """Names of both, what fails, and why; no colours unless asked for."""
    text = render_diff_text(failing, NAMES, width=80)

    assert text.startswith("DIFFERENT: 14 checks fail now, 2 checks are no longer judged")
    assert "A  old/run.json · 2 × NVIDIA H100 80GB HBM3" in text
    assert "torch_sparse is installed and can't be imported" in text
    assert "\x1b" not in text
    painted = render_diff_text(failing, NAMES, width=80, color=True)
    assert "\x1b[31m" in painted
    assert re.sub(r"\x1b\[\d+m", "", painted) == text


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ((), ""),
        (("GPU 3",), "GPU 3"),
        (("GPU 0", "GPU 1"), "GPUs 0, 1"),
        (("GPU 0", "GPU 1", "GPU 2"), "GPUs 0 to 2"),
        (("GPU 0", "GPU 2", "GPU 3"), "GPUs 0, 2, 3"),
        (("entry 0", "entry 2"), "entries 0, 2"),
    ],
)
def test_places(named, said):
    """Several by their range where they have one."""
    assert places(named) == said


class _Page(HTMLParser):
    """Whether every element is closed in its order, and what links and text there are."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.ids, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert not [name for name in values if name.startswith("on") or name == "style"]
        if tag not in _VOID:
            self.open.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []
        assert tag not in ("script", "img", "link", "iframe")

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def changed():
    """Against another image, in which checks fail, margins are nearer and counts differ."""
    return compare(documents.good_run(), documents.changed_run())


@pytest.mark.parametrize("name", ["failing", "hostile", "changed"])
def test_the_page_is_whole(name, request):
    """Elements closed, links that lead somewhere, nothing outside, whatever the texts hold."""
    page = _Page()
    page.feed(render_diff_html(request.getfixturevalue(name), NAMES))

    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        assert link.startswith("https://") or link[1:] in page.ids, link
    assert "old/run.json" in "".join(page.text)


def test_every_part_is_in_every_form(changed):
    """Checks, changes of each weight, margins, counts, and what only one recorded."""
    assert changed.margins
    assert changed.counts
    for told in (
        render_diff_text(changed, NAMES),
        render_diff_markdown(changed, NAMES),
        re.sub(r"<[^>]+>", "", render_diff_html(changed, NAMES)),
    ):
        for part in ("fails now", "Can break", "Can change results", "fresh", "fewer architectures", "0.99", "worse",
                     "Recorded in B alone"):  # fmt: skip
            assert part in told, part


def test_hostile_texts_stay_text(hostile):
    """No markup, no terminal sequence, no end of a table or a fence."""
    markdown, page = render_diff_markdown(hostile, NAMES), render_diff_html(hostile, NAMES)
    text = render_diff_text(hostile, ("a\x1b[31m\n::error::", "b"))

    for told in (markdown, page):
        assert not re.search(r"(?<!\\)<(script|img)", re.sub(r"(`+).*?(?<!`)\1(?!`)", "", told))
    for told in (markdown, text):
        assert "\n::error" not in told
    for told in (markdown, page, text):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202e]", told)


def long_run(rows, length):
    """A document with very many facts, packages and failures, each of them long."""
    text = "<&\"'`|" * (length // 6)
    base = documents.large_run(rows // 4, failed=1.0, text=text, log="")
    facts = {
        f"x.{i}": Fact(value=[text + str(i), {"a": text}] if i % 2 else text, title=text, group="x")
        for i in range(rows)
    }
    variables = {f"TORCH_NCCL_{i}": text for i in range(rows)}
    facts["variables.set"] = Fact(value=variables, title="variables", group="variables")
    packages = {f"{text}{i}": text for i in range(rows)}
    return dataclasses.replace(base, environment=Environment(facts=facts, packages=packages))


def test_any_size_fits():
    """A megabyte of HTML at most, and as many bytes of Markdown as were asked for; what is left out is counted."""
    large, empty = long_run(2000, 600), documents.empty_run()
    facts = {
        key: dataclasses.replace(fact, value={} if "variables" in key else "z")
        for key, fact in large.environment.facts.items()
    }
    other = dataclasses.replace(empty, environment=Environment(facts=facts, packages={"a": "1"}))
    for difference in (compare(large, other), compare(other, large)):
        page, markdown = (
            render_diff_html(difference, NAMES),
            render_diff_markdown(difference, NAMES, max_bytes=60_000),
        )

        assert len(page.encode()) < 1_000_000
        assert page.count("more changes in") == 2
        assert len(markdown.encode()) <= 60_000
        assert "Cut here" in markdown
        assert len(render_diff_text(difference, NAMES).encode()) < 1_500_000
        assert len(diff_summary(difference, NAMES)["changes"]) >= 2000


def test_the_summary_is_whole(failing):
    """Every change with its values, consequences and sources, and every check."""
    first = {"limits.shm_size": 2**32, "torch.arch_list": ["sm_70", "sm_90"]}
    second = {"limits.shm_size": 2**26, "torch.arch_list": ["sm_90"]}
    told = json.loads(json.dumps(diff_summary(compare(document(first), document(second)), NAMES)))

    by_key = {change["key"]: change for change in told["changes"]}
    shm = by_key["limits.shm_size"]
    assert told["schema"] == "gnnbench.diff/1"
    assert (told["a"]["document"], told["differ"], told["counts"]["breaks"]) == (NAMES[0], True, 2)
    assert (shm["a"], shm["b"], shm["step"], shm["weight"]) == (2**32, 2**26, "down", "breaks")
    assert shm["consequences"][0]["whose"] == "b"
    assert shm["consequences"][0]["sources"][0] == "https://github.com/NVIDIA/nccl/issues/290"
    assert by_key["torch.arch_list"]["removed"] == ["sm_70"]
    checks = diff_summary(failing, NAMES)["checks"]
    assert {check["turn"] for check in checks} == {"fails now", "no longer judged"}
    assert {check["b"] for check in checks} == {Outcome.FAILED.value, Outcome.INCONCLUSIVE.value}


def test_files(failing, tmp_path):
    """Both beside each other, in a folder that is made."""
    written = write_diff(failing, NAMES, tmp_path / "new" / "folder")

    assert [path.name for path in written] == ["diff.html", "diff.md"]
    assert written[0].read_text("utf-8") == render_diff_html(failing, NAMES)


def test_what_is_shown_is_what_is_there():
    """Two documents that say the same of the machine in other types are different: 1 is not true."""
    texts = [json.dumps({"schema": "gnnbench.run/1", "id": "r", "state": "complete", "started_at": "",
                         "environment": {"facts": {"x": {"value": v, "title": "X", "group": "g"}}}})
             for v in (1, True)]  # fmt: skip
    (change,) = compare(*map(loads, texts)).changes

    assert (change.before, change.after) == (1, True)


def test_the_docs_have_every_word():
    """Weights, what they mean, and turns of checks, as they are in the code."""
    docs = (Path(__file__).parents[1] / "docs" / "diff.md").read_text("utf-8")

    for weight in Weight:
        assert f"| {weight.label} |" in docs
        assert f"`{weight.name.lower()}`" in docs
    for weight in (Weight.BREAKS, Weight.RESULTS, Weight.SPEED):
        assert f"| {MEANING[weight]} |" in docs
    assert f"by {GROWTH:g} times" in docs
