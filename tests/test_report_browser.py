"""Tests of the page in a real browser: it fits, it answers on the first screen, and it is accessible."""

import os
import shutil
import tempfile
from pathlib import Path

import documents
import pytest

from gnnbench.history import compare
from gnnbench.report import render_html
from gnnbench.report.diff import render_diff_html

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
AXE = os.environ.get("GNNBENCH_AXE", "")
PHONE, DESKTOP = (390, 844), (1440, 900)
RUNS = ("good", "failing", "required_absent", "interrupted", "empty", "inconclusive", "large", "hostile")
#: A page of two documents: the good run, and this one.
DIFFERENCES = {"diff": "changed", "diff_hostile": "hostile"}

needs_axe = pytest.mark.skipif(
    not Path(AXE).is_file(), reason="name axe-core's axe.min.js in GNNBENCH_AXE to check accessibility"
)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium with a fresh profile; one for all tests, as it takes seconds to start."""
    if not CHROMIUM or not DRIVER:
        pytest.skip("no chromium with chromedriver here")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (
            "headless",
            "no-sandbox",
            "disable-gpu",
            "disable-background-networking",
            "disable-sync",
        ):
            options.add_argument(f"--{flag}")
        options.add_argument("--no-first-run")
        options.add_argument(f"--user-data-dir={profile}")
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        try:
            yield driver
        finally:
            driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of each run, as a file."""
    folder = tmp_path_factory.mktemp("pages")
    for name in RUNS:
        text = render_html(getattr(documents, f"{name}_run")())
        (folder / f"{name}.html").write_text(text, "utf-8")
    for name, other in DIFFERENCES.items():
        difference = compare(documents.good_run(), getattr(documents, f"{other}_run")())
        (folder / f"{name}.html").write_text(render_diff_html(difference, ("old.json", "new.json")), "utf-8")
    return folder


@pytest.fixture
def show(browser, pages):
    """Open the page of a run at a size, light or dark; fails on any console message."""

    def opened(name, size=DESKTOP, scheme="light"):
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get((pages / f"{name}.html").as_uri())
        assert browser.get_log("browser") == []
        return browser

    return opened


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", [*RUNS, *DIFFERENCES])
def test_page_is_no_wider_than_the_screen(show, name, size):
    """Folded and unfolded, long ids and wide tables included, the page never scrolls sideways."""
    browser = show(name, size)
    for unfold in ("", "document.querySelectorAll('details').forEach(each => { each.open = true })"):
        browser.execute_script(unfold)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize(
    "name", ["good", "failing", "required_absent", "interrupted", "empty", "inconclusive"]
)
def test_first_screen_answers(show, name, size):
    """Good or not, why, and what to do are visible without scrolling."""
    bottoms = show(name, size).execute_script(
        """const bottom = element => element.getBoundingClientRect().bottom;
        const first = word => [...document.querySelectorAll('.why > div')]
          .find(section => section.querySelector('h2').textContent === word);
        return [document.querySelector('h1'), first('Why'), first('What to do')].map(bottom)"""
    )

    assert all(0 < bottom <= size[1] for bottom in bottoms), bottoms


@pytest.mark.parametrize("name", ["failing", "hostile", "diff"])
def test_everything_is_there_without_the_style(show, name):
    """What a strict policy leaves of the page is all of its text, in the same order."""
    browser = show(name)
    read = "document.querySelectorAll('details').forEach(each => { each.open = true });" + (
        "return document.body.innerText.replace(/\\s+/g, '').toLowerCase()"
    )
    styled = browser.execute_script(read)
    browser.execute_script("document.querySelector('style').remove()")

    assert browser.execute_script(read) == styled
    assert browser.execute_script("return document.querySelector('svg').getBoundingClientRect().width") < 100


def test_page_survives_a_strict_policy(show, pages):
    """Under Jenkins' default policy, which forbids script and style, text and figures still show."""
    policy = "default-src 'none'; img-src 'self'; style-src 'self'"
    text = (pages / "failing.html").read_text("utf-8")
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
    (pages / "strict.html").write_text(text.replace('<meta charset="utf-8">', head), "utf-8")
    browser = show("empty")
    browser.get((pages / "strict.html").as_uri())

    assert all("style" in entry["message"] for entry in browser.get_log("browser"))
    assert "Not good" in browser.execute_script("return document.body.innerText")
    box = "const box = document.querySelector('figure svg').getBoundingClientRect(); return [box.width, box.height]"
    assert min(browser.execute_script(box)) > 200


def test_figures_follow_the_colour_scheme(show):
    """The ink of a figure is that of the page, in the light and in the dark."""
    ink = "return getComputedStyle(document.querySelector('figure text')).fill"

    light, dark = (show("good", scheme=scheme).execute_script(ink) for scheme in ("light", "dark"))

    assert light == "rgb(27, 31, 36)"
    assert dark == "rgb(231, 233, 236)"


@needs_axe
@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", [*RUNS, *DIFFERENCES])
def test_axe_finds_nothing(show, name, size, scheme):
    """No violation of any rule, contrast included, with everything unfolded."""
    browser = show(name, size, scheme)
    browser.execute_script("document.querySelectorAll('details').forEach(each => { each.open = true })")
    browser.execute_script(Path(AXE).read_text("utf-8"))
    violations = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then(found => done(found.violations.map(each =>"
        " [each.id, each.nodes.length, each.nodes[0].html.slice(0, 200), each.nodes[0].failureSummary])))"
    )

    assert violations == []
