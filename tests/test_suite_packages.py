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


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of sys.path."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "METADATA can't be read: No such file or directory"),
        (b"", "METADATA without Name and Version"),
        (b"Metadata-Version: 2.1\nName: \nVersion: 1\n", "METADATA without Name"),
        (b"Metadata-Version: 2.1\nName: torch\n", "METADATA without Version"),
        (b"\xff\xfe\x00\x01", "METADATA without Name and Version"),
    ],
)
def test_a_record_without_a_name(site, text, why):
    """Over which `import torch` stumbles with a TypeError."""
    (site / "torch-2.9.dist-info").mkdir()
    if text is not None:
        (site / "torch-2.9.dist-info" / "METADATA").write_bytes(text)
    with pytest.raises(CheckFailed) as failed:
        suite.test_records(Evidence())

    assert failed.value.finding.found == f"{site}/torch-2.9.dist-info: {why}"


def test_records_that_are_whole(site):
    """Whatever stands behind the head, and in the older egg-info."""
    (site / "a-1.dist-info").mkdir()
    (site / "a-1.dist-info" / "METADATA").write_bytes(
        b"Metadata-Version: 2.1\r\nName: a\r\nVersion: 1\r\n\r\n\xff"
    )
    (site / "b-1.egg-info").write_text("")
    suite.test_records(Evidence())


def test_a_python_that_nobody_can_read(site):
    """Requires-Python is the package's word; what is no specifier allows nothing."""
    (site / "torch-2.9.dist-info").mkdir()
    (site / "torch-2.9.dist-info" / "METADATA").write_text(
        "Name: torch\nVersion: 2.9\nRequires-Python: soon\n"
    )
    with pytest.raises(CheckFailed) as failed:
        suite.test_python(Evidence())

    assert "Python soon for torch" in failed.value.finding.expected
