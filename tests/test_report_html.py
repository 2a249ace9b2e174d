"""Tests of gnnbench.report.html: one file, complete without script and style, small, and safe from its input."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import documents
import pytest

from gnnbench.record import Fact, Outcome, verdict
from gnnbench.report import html, vega
from gnnbench.report.html import MAX_BYTES, render_html

DOCUMENTS = {
    name: getattr(documents, f"{name}_run")
    for name in (
        "good",
        "failing",
        "required_absent",
        "interrupted",
        "crashed",
        "running",
        "empty",
        "inconclusive",
        "large",
        "hostile",
    )
}
BLOCKS = {"p", "li", "dt", "dd", "td", "th", "h1", "h2", "h3", "caption", "summary", "pre", "text", "title"}
VOID = {"meta", "rect", "path", "line", "wbr", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Checks that tags nest, and keeps elements, attributes and text by the element they stand in."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.pieces, self.ids = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> stands in {self.open}"
        self.open.pop()
        if tag in BLOCKS:
            self.pieces.append(" ")

    def handle_data(self, data):
        if "style" not in self.open:
            self.pieces.append(data)

    @property
    def text(self):
        """What can be read without a style sheet, with single spaces."""
        return " ".join("".join(self.pieces).split())

    def attributes(self, name):
        """Every value of one attribute."""
        return [attrs[name] for _, attrs in self.elements if name in attrs]


@pytest.fixture(scope="module", params=DOCUMENTS)
def rendered(request):
    """Every kind of document, with its page as text and parsed."""
    run = DOCUMENTS[request.param]()
    text = render_html(run)
    return run, text, Page(text)


def test_page_is_one_safe_file(rendered):
    """No script, no handler, no style attribute, and no reference to anything but its own parts."""
    _, text, page = rendered

    assert not {tag for tag, _ in page.elements} & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "img",
        "base",
    }
    assert not [
        name for _, attrs in page.elements for name in attrs if name == "style" or name.startswith("on")
    ]
    for name in ("href", "src", "xlink:href", "action", "data", "poster", "srcset"):
        assert all(value.startswith("#") for value in page.attributes(name))
    assert "url(" not in text
    assert "@import" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_page_is_accessible_in_its_structure(rendered):
    """Language, title, landmarks; headings in order; captions and scopes; every reference has its target."""
    _, _, page = rendered
    tags = [tag for tag, _ in page.elements]

    assert ("html", {"lang": "en"}) in page.elements
    assert all(tags.count(tag) == 1 for tag in ("title", "h1", "main", "header", "nav", "footer"))
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    assert tags.count("table") == tags.count("caption")
    assert all(attrs.get("scope") in ("row", "col") for tag, attrs in page.elements if tag == "th")
    assert len(page.ids) == len(set(page.ids))
    targets = {value.removeprefix("#") for value in page.attributes("href")} | set(
        page.attributes("aria-labelledby")
    )
    assert targets <= set(page.ids)


def test_page_says_everything_without_its_style(rendered):
    """The verdict, every reason for not judging, and what was left out are in the text itself."""
    run, _, page = rendered

    assert verdict(run).headline.lower() in page.text.lower()
    for result in run.results:
        if result.outcome is not Outcome.PASSED and len(run.results) < 1000:
            assert html.text.one_line(result.id) in page.text
    for group in html.findings.unjudged(run):
        assert html.text.one_line(group.finding.summary) in page.text.replace("`", "")
    for count, why in ((118, "tier"),):
        assert (f"{count} by {why}" in page.text) == (run.deselected.get(why) == count)


@pytest.mark.parametrize("charts", [True, False])
def test_three_thousand_results_stay_below_a_megabyte(charts):
    """Four margins each, every outcome listed by what computed it."""
    text = render_html(documents.large_run(3000), charts=charts)

    assert len(text.encode()) < MAX_BYTES
    assert "12,000 comparisons" in Page(text).text


@pytest.mark.parametrize(
    ("share", "log", "text"),
    [(0.5, documents.LOG, ""), (1.0, "x<\n" * 30_000, "<&\"'\U0001f600" * 300)],
    ids=["half", "worst"],
)
def test_what_is_too_large_is_cut_and_said(share, log, text):
    """However many failures and however long their logs, the page stays small and counts what it leaves out."""
    run = documents.large_run(3000, failed=share, log=log, text=text)

    page = render_html(run, charts=False)

    assert len(page.encode()) < MAX_BYTES
    parsed = Page(page)
    assert re.search(r"[\d,]+ more (findings|checks) in run\.json", parsed.text)
    assert f"{int(3000 * share)} of 3000 checks failed" in parsed.text


def test_failure_shows_all_that_a_person_needs():
    """Expected, found, cause, remedy, the command to run it alone, and the log, folded."""
    page = Page(render_html(documents.failing_run(), charts=False))

    for wanted in (
        "Expected -12.0 at node 17, channel 3",
        "Found -13.0",
        "Likely cause The self-loop is missing where a node already has one",
        'What to do Bind with self_loops="add", or use edge_index',
        "Run it alone gnnbench run --tier smoke --suite equivalence --device cuda:0 --data /data/planetoid",
        "graph hub: 3,000 nodes, 14,212 edges",
        "loss: error NaN, bound 0.0240, at step 1",
    ):
        assert wanted in page.text


def test_hostile_text_stays_text():
    """Markup, terminal colours, control characters and broken bytes in a document are shown, never obeyed."""
    text = render_html(documents.hostile_run())
    page = Page(text)

    assert "<script>alert(1)</script>" in page.text
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "\\xff byte" in page.text
    assert "emoji \U0001f600" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202e]", text)


def test_non_finite_margins_are_shown_as_such():
    """Infinity and NaN are words on the page, not blanks and not zeros."""
    page = Page(render_html(documents.failing_run(), charts=False))

    assert "∞ beyond" in page.text
    assert "error NaN" in page.text


def test_interrupted_run_lists_what_never_ended():
    """What was selected and has no outcome is neither passed nor failed, and named."""
    run = documents.interrupted_run()
    page = Page(render_html(run, charts=False))

    assert "What never ended" in page.text
    assert all(check in page.text for check in run.unfinished)
    assert "Ctrl-C" in page.text


def test_without_the_extra_the_tables_say_it_all(monkeypatch):
    """No renderer: one line says how to have charts, and no number is lost."""
    run = documents.good_run()
    with_charts = Page(render_html(run))
    monkeypatch.setattr(vega, "available", lambda: False)

    without = Page(render_html(run))

    assert without.text.count("pip install 'gnnbench[report]'") == 1
    assert not [tag for tag, _ in without.elements if tag == "figure"]
    cells = re.compile(r"\d[\d,.]*")
    tables = "Devices"
    assert cells.findall(without.text.partition(tables)[2]) == cells.findall(
        with_charts.text.partition(tables)[2]
    )
    for number in ("4,194,304", "57,344", "81.5"):
        assert number in without.text


def test_broken_renderer_costs_the_charts_only(monkeypatch):
    """A renderer that fails is one line; the report stands."""

    def fail(*_):
        raise ValueError("no fonts\nat all")

    monkeypatch.setattr(vega, "draw", fail)
    monkeypatch.setattr(vega, "available", lambda: True)

    page = Page(render_html(documents.good_run()))

    assert "The charts could not be drawn: no fonts at all" in page.text


def test_charts_can_be_left_out_in_silence():
    """Who asked for none is not told how to have them."""
    page = Page(render_html(documents.good_run(), charts=False))

    assert not [tag for tag, _ in page.elements if tag == "figure"]
    assert "chart" not in page.text.lower()


def test_facts_of_every_kind_have_words():
    """Booleans, lists, tables, bytes, nothing, and what could not be read."""
    page = Page(render_html(documents.good_run(), charts=False))

    for wanted in (
        "TF32 in matrix products = no",
        "compiled for sm_75, sm_80",
        "memory 128 GiB",
        "not read: OSError: libnccl.so.2",
        "libcudart.so.12: /opt/venv",
        "Installed packages 65",
    ):
        assert wanted in page.text


def test_what_a_machine_has_not_is_one_row():
    """Twenty rows of "none" about GPUs would hide what there is; a reason why something is not known never goes there."""
    run = documents.good_run()
    absent = {
        f"hardware.none{n}": Fact(value=value, title=f"Thing {n}", group="hardware")
        for n, value in enumerate((None, [], {}))
    }
    unread = {"hardware.unread": Fact(value=None, title="Thing 9", group="hardware", error="refused")}
    facts = {**run.environment.facts, **absent, **unread}

    page = Page(render_html(replace(run, environment=replace(run.environment, facts=facts)), charts=False))

    assert "None Thing 0, Thing 1, Thing 2" in page.text
    assert "Thing 9 not read: refused" in page.text


def test_long_lists_of_one_finding_are_counted():
    """Beyond the limit of a page, the count of the rest stands where the list ends."""
    run = documents.large_run(600, failed=1.0)
    same = tuple(replace(r, finding=replace(r.finding, cause="one", fix="one")) for r in run.results)

    page = Page(render_html(replace(run, results=same), charts=False))

    assert "All 600 checks" in page.text
    assert "200 more checks in run.json" in page.text
