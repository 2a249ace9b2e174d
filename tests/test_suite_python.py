"""suites/environment/test_python.py: an interpreter that complains before any program begins."""

import sys

import pytest

from gnnbench.checks import Evidence
from gnnbench.checks.outcomes import CheckFailed, describe
from suites.environment import test_python as suite

pytest.importorskip("torch")


def test_a_sound_interpreter():
    """It says nothing."""
    evidence = Evidence()
    suite.test_startup(evidence)

    assert evidence.facts["said"] == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import nowhere_at_all", "nowhere_at_all"),
        ("import os; os._exit(3)", "status 3"),
        ("import os; os.kill(os.getpid(), 11)", "status -11"),
    ],
)
def test_a_sitecustomize_that_breaks(tmp_path, monkeypatch, text, words):
    """Python goes on after most, without what it was there for."""
    (tmp_path / "sitecustomize.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(CheckFailed) as failed:
        suite.test_startup(Evidence())

    assert words in describe(failed.value.finding)
    assert "sitecustomize" in describe(failed.value.finding)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LD_PRELOAD", "/nowhere/libjemalloc.so.2", "libjemalloc.so.2"),
        ("PYTHONWARNINGS", "nonsense", "Invalid -W option"),
    ],
)
def test_variables_that_do_nothing_but_harm(monkeypatch, name, value, words):
    """An image sets them, and what they name is not there."""
    monkeypatch.setenv(name, value)
    with pytest.raises(CheckFailed) as failed:
        suite.test_startup(Evidence())

    assert words in failed.value.finding.summary


def test_words_that_are_meant(tmp_path, monkeypatch):
    """A profiler that says that it is there is recorded, and no fault."""
    (tmp_path / "sitecustomize.py").write_text("import sys; print('profiler attached', file=sys.stderr)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    evidence = Evidence()
    suite.test_startup(evidence)

    assert evidence.facts["said"] == "profiler attached"


def test_one_that_never_ends(tmp_path, monkeypatch):
    """It is given up, and told."""
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("gnnbench.environment.python._STARTUP_S", 0.3)
    with pytest.raises(CheckFailed, match="Python does not end when it has nothing to do"):
        suite.test_startup(Evidence())


def test_a_numpy_that_can_not_be_loaded(tmp_path, monkeypatch):
    """Of its page of advice the loader's line is told."""
    (tmp_path / "numpy").mkdir()
    text = "\\n\\nIMPORTANT: PLEASE READ THIS\\n\\nadvice\\n\\nOriginal error was: undefined symbol: lost\\n"
    (tmp_path / "numpy" / "__init__.py").write_text(f'raise ImportError("{text}")')
    for name in [one for one in sys.modules if one == "numpy" or one.startswith("numpy.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CheckFailed) as failed:
        suite.test_numpy_interop(Evidence())

    assert (
        failed.value.finding.summary == "numpy can't be imported: Original error was: undefined symbol: lost"
    )
