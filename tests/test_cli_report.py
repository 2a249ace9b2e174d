"""Tests of `gnnbench report`: documents made anywhere, rendered without torch."""

import json
import subprocess
import sys
from dataclasses import replace

import documents
import pytest

from gnnbench.record import save


def gnnbench(*arguments, cwd, check=None):
    """Run the command as a person does, and return what came of it."""
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('LOADED', sorted({'torch', 'numpy', 'scipy'} & set(sys.modules)), file=sys.stderr))\n"
        "from gnnbench.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "LOADED []" in done.stderr
    assert "Traceback" not in done.stderr
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


@pytest.fixture
def document(tmp_path):
    """A document in a folder of its own."""
    path = tmp_path / "made" / "run.json"
    path.parent.mkdir()
    save(documents.failing_run(), path)
    return path


def test_reports_go_beside_the_document(document, tmp_path):
    """All three formats, told on stdout, and exit code 0: rendering went well, whatever the run says."""
    done = gnnbench("report", document, "--no-charts", cwd=tmp_path, check=0)

    assert sorted(path.name for path in document.parent.iterdir()) == [
        "junit.xml",
        "report.html",
        "run.json",
        "summary.md",
    ]
    lines = done.stdout.splitlines()
    assert lines[:3] == [str(document.with_name(name)) for name in ("report.html", "summary.md", "junit.xml")]
    assert lines[3].startswith("NOT GOOD: 14 of 404 checks failed")
    assert done.stderr == "LOADED []\n"


def test_charts_are_drawn_by_default(document, tmp_path):
    """With the extra, figures stand in the page."""
    pytest.importorskip("vl_convert")

    gnnbench("report", document, "--format", "html", cwd=tmp_path, check=0)

    assert document.with_name("report.html").read_text("utf-8").count("<figure>") == 6


def test_one_bad_document_does_not_stop_the_others(document, tmp_path):
    """It is named in one line on stderr; the rest are rendered, and the exit code is 4."""
    broken = tmp_path / "broken.json"
    broken.write_text('{"schema": "gnnbench.run/1", "id": 3}')

    done = gnnbench(
        "report", broken, tmp_path / "absent.json", document, "--no-charts", cwd=tmp_path, check=4
    )

    complaints = [line for line in done.stderr.splitlines() if line.startswith("gnnbench: ")]
    assert len(complaints) == 2
    assert "broken.json" in complaints[0]
    assert "expected a string, found 3" in complaints[0]
    assert "absent.json" in complaints[1]
    assert document.with_name("report.html").exists()


def test_several_documents_get_a_folder_each(tmp_path):
    """Named after the runs; an id that would lead out of the folder, or that is there twice, does neither."""
    paths = []
    for number, run_id in enumerate(("../../etc/x", "same", "same")):
        paths.append(tmp_path / f"{number}.json")
        save(replace(documents.empty_run(), id=run_id), paths[-1])

    gnnbench("report", *paths, "--output", "out", "--format", "junit", cwd=tmp_path, check=0)

    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.xml"))
    assert found == ["out/_.._etc_x/junit.xml", "out/same-2/junit.xml", "out/same/junit.xml"]


def test_documents_in_one_folder_keep_their_reports_apart(tmp_path):
    """Beside a100.json stands a100.report.html."""
    for name in ("a100", "h100"):
        save(documents.empty_run(), tmp_path / f"{name}.json")

    gnnbench("report", "a100.json", "h100.json", "--format", "html", cwd=tmp_path, check=0)

    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["a100.report.html", "h100.report.html"]


def test_json_says_what_the_runs_amount_to(document, tmp_path):
    """Data alone on stdout, what is told otherwise on stderr."""
    done = gnnbench("report", document, "--format", "markdown", "--json", "-", cwd=tmp_path, check=0)

    assert json.loads(done.stdout) == [
        {
            "document": str(document),
            "id": "20261124T081502Z-3fa9c1",
            "exit_code": 1,
            "headline": "NOT GOOD: 14 of 404 checks failed, 2 could not judge",
            "reports": [str(document.with_name("summary.md"))],
        }
    ]
    assert str(document.with_name("summary.md")) in done.stderr
    assert "NOT GOOD: 14 of 404 checks failed" in done.stderr


def test_json_goes_to_a_file(document, tmp_path):
    """A path instead of `-`."""
    gnnbench("report", document, "--format", "junit", "--json", "out.json", cwd=tmp_path, check=0)

    assert json.loads((tmp_path / "out.json").read_text())[0]["exit_code"] == 1


def test_output_that_cannot_be_written_is_one_line(document, tmp_path):
    """A file where the folder should be."""
    (tmp_path / "taken").write_text("")

    done = gnnbench(
        "report", document, "--output", tmp_path / "taken" / "x", "--no-charts", cwd=tmp_path, check=4
    )

    assert len([line for line in done.stderr.splitlines() if line.startswith("gnnbench: ")]) == 1


def test_nothing_to_render_is_a_usage_error(tmp_path):
    """The exit code is 4, not click's 2, which is pytest's for an interrupted run."""
    gnnbench("report", cwd=tmp_path, check=4)
