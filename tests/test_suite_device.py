"""suites/environment/test_device.py: a compiler that is broken is none that is absent."""

import pytest

from gnnbench.checks import Evidence
from gnnbench.checks.outcomes import CheckFailed, NotApplicable, describe
from gnnbench.environment import ChildReport, Ending

torch = pytest.importorskip("torch")

from suites.environment import test_device as suite  # noqa: E402

NO_TRITON = "TritonMissing: Cannot find a working triton installation."
NO_COMPILER = "InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx"


class Probing:
    """A probe that has ended so."""

    def __init__(self, error):
        self._report = ChildReport(
            target="probe", ending=Ending.RAISED, error=error, error_type=error.partition(":")[0]
        )

    def start(self, name, device):
        return self

    def wait(self):
        return self._report


@pytest.fixture
def no_compiler(tmp_path, monkeypatch):
    """A PATH without one, and no triton; the folder is on both paths."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(suite, "find_spec", lambda name: object() if (tmp_path / name).exists() else None)
    return tmp_path


def ended(device, error):
    """How the check ends, and its finding as text. What is not applicable would else skip the test."""
    with pytest.raises((CheckFailed, NotApplicable)) as end:
        suite.test_compiled(torch.device(device), Probing(error), Evidence())
    return end.type, describe(end.value.finding)


@pytest.mark.parametrize(("device", "error"), [("cuda:0", NO_TRITON), ("cpu", NO_COMPILER)])
def test_none_is_not_applicable(no_compiler, device, error):
    """Nobody said that the image is to compile."""
    assert ended(device, error)[0] is NotApplicable


@pytest.mark.parametrize(
    ("device", "error", "name"), [("cuda:0", NO_TRITON, "triton"), ("cpu", NO_COMPILER, "g++")]
)
def test_one_that_is_here_and_does_not_work_is_a_fault(no_compiler, device, error, name):
    """torch has the same words for both."""
    (no_compiler / name).write_text("#!/bin/sh\nexit 1\n")
    (no_compiler / name).chmod(0o755)
    how, words = ended(device, error)

    assert how is CheckFailed
    assert f"{name} is here and does not work" in words


def test_a_compiler_that_a_variable_names(no_compiler, monkeypatch):
    """CXX may hold options too."""
    (no_compiler / "mine").write_text("")
    (no_compiler / "mine").chmod(0o755)
    monkeypatch.setenv("CXX", "mine -O2")

    assert "mine is here and does not work" in ended("cpu", NO_COMPILER)[1]
