"""suites/environment/test_packages.py: what each check says of packages that are not what they seem."""

import sys
from types import ModuleType

import pytest

from gnnbench.checks import Evidence
from gnnbench.checks.outcomes import CheckFailed, describe
from gnnbench.environment import TorchUnusableError, resolve_devices
from suites.environment import test_packages as suite

pytest.importorskip("torch")


@pytest.fixture
def impostor(monkeypatch, tmp_path):
    """A folder of the user's, called torch."""
    module = ModuleType("torch")
    module.__file__ = str(tmp_path / "torch" / "__init__.py")
    monkeypatch.setitem(sys.modules, "torch", module)
    return module.__file__


def test_a_folder_that_hides_torch_is_named(impostor):
    """By its place, and not by the first attribute that it lacks."""
    with pytest.raises(CheckFailed) as failed:
        suite.test_torch(Evidence())

    assert failed.value.finding.summary == f"what is imported as torch is not PyTorch: {impostor}"
    assert "PYTHONPATH" in describe(failed.value.finding)


def test_there_is_no_device_where_a_folder_hides_torch(impostor):
    """The run goes on without one, and its checks say what is wrong."""
    with pytest.raises(TorchUnusableError, match="expected PyTorch, found .*torch/__init__.py"):
        resolve_devices()
