"""Tests of `gnnbench diff`: two documents made anywhere, compared without torch."""

import dataclasses
import json

import documents
import pytest
from test_cli_report import gnnbench

from gnnbench.record import save


@pytest.fixture
def folder(tmp_path):
    """Two documents that differ, one of them in the folder of its run."""
    (tmp_path / "old").mkdir()
    save(documents.good_run(), tmp_path / "old" / "run.json")
    save(documents.failing_run(), tmp_path / "new.json")
    return tmp_path


def test_it_tells_and_loads_nothing(folder):
    """The difference on stdout, nothing on stderr, exit code 0: it is a report. torch and numpy stay out."""
    done = gnnbench("diff", "old", "new.json", cwd=folder, check=0)

    assert done.stdout.startswith("DIFFERENT: 14 checks fail now")
    assert "A  old/run.json · 2 × NVIDIA H100" in done.stdout
    assert done.stderr == "LOADED []\n"
    assert sorted(path.name for path in folder.iterdir()) == ["new.json", "old"]


def test_exit_code_where_it_is_asked_for(folder):
    """As git's: 1 where they differ, 0 where they don't."""
    gnnbench("diff", "old", "new.json", "--exit-code", cwd=folder, check=1)
    done = gnnbench("diff", "old", "old/run.json", "--exit-code", cwd=folder, check=0)

    assert done.stdout.startswith("SAME: ")


def test_json_and_pages(folder):
    """Data alone on stdout, what is told otherwise on stderr; pages in a folder that is made."""
    done = gnnbench("diff", "old", "new.json", "--json", "-", "--output", "out/x", cwd=folder, check=0)

    assert json.loads(done.stdout)["b"]["document"] == "new.json"
    assert "DIFFERENT: 14 checks fail now" in done.stderr
    assert done.stderr.splitlines()[-3:] == ["out/x/diff.html", "out/x/diff.md", "LOADED []"]
    assert (folder / "out" / "x" / "diff.md").read_text("utf-8").startswith("### gnnbench diff: different")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("old", "absent.json"), "absent.json: expected a Run document, found none"),
        (("old", "broken.json"), "broken.json: id: expected a string, found 3"),
        (("old", "newer.json"), "newer.json: made by a newer gnnbench"),
        (("old",), "expected B.json, found none"),
        (("old", "new.json", "more.json"), "more.json"),
        (("old", "new.json", "--output", "new.json/x"), "new.json/x: expected a place that can be used"),
        (("old", "new.json", "--json", "absent/x.json"), "--json: expected a file"),
    ],
    ids=["absent", "broken", "newer", "one", "three", "output", "json"],
)
def test_what_is_wrong_is_one_line(folder, arguments, words):
    """It names the place, and the exit code is 4."""
    (folder / "broken.json").write_text('{"schema": "gnnbench.run/1", "id": 3}')
    (folder / "newer.json").write_text('{"schema": "gnnbench.run/99"}')

    done = gnnbench("diff", *arguments, cwd=folder, check=4)

    (complaint,) = [line for line in done.stderr.splitlines() if line.startswith("gnnbench: ")]
    assert words in complaint


def test_fields_of_a_newer_gnnbench_are_no_hindrance(folder):
    """What this version does not know is neither compared nor in the way."""
    newer = dataclasses.replace(documents.good_run(), extra={"later": {"x": 1}}, gnnbench="9.0")
    save(newer, folder / "newer.json")

    gnnbench("diff", "old", "newer.json", "--exit-code", cwd=folder, check=0)
