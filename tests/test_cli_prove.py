"""gnnbench prove: the score of the catalogue, and what becomes of faults that nothing catches."""

import json
import os
import subprocess
import sys

import pytest

from gnnbench.faults import catalogue
from gnnbench.record import ExitCode, Outcome, load

ENTRY = """
from gnnbench.faults.fault import Fault

def plant(broken):
    {plant}

FAULT = Fault(
    id="{id}", title="{title}", symptom="nothing", sources=("a/b#1",), areas=("EQ",),
    caught_by=("equivalence/exact/forward",), plant=plant, keyword="planted and exact_plain",
)
"""

HARMLESS = "from gnnbench.faults.mutant import Mutant, register; register(Mutant())"
ALWAYS = "from gnnbench.faults.mutant import Mutant, register; register(Mutant(loops='none'))"
CRASHES = "import os; os._exit(7)"
HANGS = f"import time; broken and time.sleep(600); {HARMLESS}"
PLANTS_NOTHING = "pass"


def prove(folder, *arguments):
    """Run the command in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "gnnbench", "prove", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One run over the whole catalogue: (the process, its document)."""
    folder = tmp_path_factory.mktemp("prove")
    ended = prove(folder)
    (document,) = folder.glob("reports/*/run.json")
    return ended, load(document), document.parent


@pytest.mark.parametrize("fault", catalogue())
def test_every_fault_is_caught_and_its_clean_twin_green(whole, fault):
    """The promise of the catalogue, one by one."""
    _, run, _ = whole
    (result,) = (result for result in run.results if result.id.endswith(f"/{fault}"))

    assert result.outcome is Outcome.PASSED, result.finding
    if catalogue()[fault].harmless:
        assert result.facts["caught_by"] == []
    else:
        assert set(catalogue()[fault].caught_by) <= set(result.facts["caught_by"])
        assert result.facts["said"]


def test_the_score(whole):
    """It ends with the score and exit code 0, and leaves a report that names every fault."""
    ended, run, folder = whole
    count = len(catalogue())

    assert ended.returncode == ExitCode.GOOD == run.exit_code
    assert f"GOOD: {count} of {count} faults caught, {count} of {count} clean twins green" in ended.stdout
    page = (folder / "report.html").read_text()
    assert all(f"/{fault}" in page for fault in catalogue())


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A catalogue of faults that prove nothing, and what the command makes of them."""
    folder = tmp_path_factory.mktemp("own")
    for number, (title, plant) in enumerate(
        {
            "harmless": HARMLESS,
            "always": ALWAYS,
            "crashes": CRASHES,
            "hangs": HANGS,
            "nothing": PLANTS_NOTHING,
        }.items(),
        start=91,
    ):
        (folder / f"f{number}_{title}.py").write_text(ENTRY.format(id=f"F{number}", title=title, plant=plant))
    ended = prove(
        folder,
        *("F91", "F92", "F93", "F94", "F95"),
        "--catalogue",
        folder,
        "--timeout",
        "60",
        "--json",
        "out.json",
    )
    return ended, {result.title.partition(" ")[0]: result for result in load(folder / "out.json").results}


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("harmless", "not caught by equivalence/exact/forward"),
        ("always", "the clean twin is red in equivalence/exact/forward"),
        ("crashes", "left with status 7"),
        ("hangs", "left with status -9"),
        ("nothing", "no check was selected by its keyword"),
    ],
)
def test_what_is_not_proved_fails(own, title, words):
    """A fault that nothing catches, a red twin, a crash, a hang: each fails the command and says why."""
    ended, results = own

    assert ended.returncode == ExitCode.CHECK_FAILED
    assert words in results[title].finding.summary
    assert words in ended.stdout
    assert "NOT GOOD: 1 of 5 faults caught" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["F00"], "expected ids of the catalogue (F01"),
        (["F17", "--area", "GRAD"], "expected an area that one of the faults is in"),
        (["--catalogue", "nowhere"], "nowhere"),
        (["F17", "--output", "/proc/nowhere"], "expected a folder that can be written to"),
    ],
)
def test_usage(tmp_path, arguments, words):
    """One line, and exit code 4."""
    ended = prove(tmp_path, *arguments)

    assert ended.returncode == ExitCode.USAGE_ERROR
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_list(tmp_path):
    """What is in the catalogue, without planting any of it, and without a folder for reports."""
    ended = prove(tmp_path, "--list", "--area", "GRAD")

    assert ended.returncode == ExitCode.GOOD
    assert "F08 " in ended.stdout
    assert "F17 " not in ended.stdout
    assert not list(tmp_path.iterdir())


def test_json_on_stdout(tmp_path):
    """`--json -` leaves stdout to the document."""
    ended = prove(tmp_path, "F34", "--json", "-")

    assert json.loads(ended.stdout)["results"][0]["catches"] == ["F34"]
    assert "1 of 1 faults caught" in ended.stderr
