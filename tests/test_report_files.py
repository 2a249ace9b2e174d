"""Tests of gnnbench.report.files: what a run leaves, and what rendering must never import."""

import os
import subprocess
import sys

import documents
import pytest

from gnnbench.report import file_names, write_reports


def test_reports_stand_beside_the_document(tmp_path):
    """Three files by default, in a folder that is made where it is lacking; nothing else stays."""
    folder = tmp_path / "a" / "b"

    written = write_reports(documents.failing_run(), folder, charts=False)

    assert [path.name for path in written] == ["report.html", "junit.xml", "summary.md"]
    assert sorted(os.listdir(folder)) == ["junit.xml", "report.html", "summary.md"]


def test_old_report_stays_where_the_new_one_fails(tmp_path, monkeypatch):
    """A full disk leaves what was there, whole, and no half of anything."""
    (path,) = write_reports(documents.good_run(), tmp_path, formats=["junit"])
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_reports(documents.failing_run(), tmp_path, formats=["junit"])

    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["junit.xml"]


def test_hostile_document_can_be_written(tmp_path):
    """Broken bytes in a document do not stop its reports."""
    for path in write_reports(documents.hostile_run(), tmp_path):
        assert path.read_text("utf-8")


def test_names_do_not_collide():
    """Two documents in one folder have reports of their own."""
    assert file_names()["html"] == "report.html"
    assert file_names("a100.json")["html"] == "a100.report.html"
    assert file_names("h100.json")["markdown"] == "h100.summary.md"


def test_rendering_imports_no_torch(tmp_path):
    """A laptop or a CI step without torch renders documents; a chart library is loaded for charts only."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import gnnbench.report\n"
        "assert not {'torch', 'numpy', 'jinja2', 'vl_convert'} & set(sys.modules)\n"
        "import documents; gnnbench.report.write_reports(documents.failing_run(), sys.argv[2], charts=False)\n"
        "assert not {'torch', 'numpy', 'scipy', 'vl_convert', 'altair'} & set(sys.modules)\n"
        "gnnbench.report.write_reports(documents.failing_run(), sys.argv[2])\n"
        "assert not {'torch', 'numpy', 'scipy', 'altair'} & set(sys.modules)\n"
    )

    subprocess.run(
        [sys.executable, "-c", program, os.path.dirname(__file__), tmp_path], check=True, timeout=120
    )
