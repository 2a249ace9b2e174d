"""suites/environment/test_packages.py: what each check says of packages that are not what they seem."""

import sys
from types import ModuleType

import pytest
from compiled_files import library, needs_compiler
from suite_runs import run_suite

from gnnbench.checks import Evidence
from gnnbench.checks.outcomes import CheckFailed, describe
from gnnbench.environment import TorchUnusableError, resolve_devices
from gnnbench.environment.audit import offered
from gnnbench.record import ExitCode
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


def test_a_library_that_hides_torchs_own_is_named(tmp_path):
    """A stub of a library that LD_LIBRARY_PATH puts before torch's; the loader names the symbol alone."""
    needs_compiler()
    stub = library(tmp_path / "stubs" / "libtorch_cpu.so", soname="libtorch_cpu.so")
    environment = {"LD_LIBRARY_PATH": str(stub.parent)}
    code, run = run_suite(
        tmp_path,
        "environment",
        "-k",
        "test_packages",
        "--continue-on-collection-errors",
        environment=environment,
        device=None,
    )
    (result,) = (one for one in run.results if one.id == "environment/packages/torch")

    assert code == ExitCode.CHECK_FAILED
    assert result.finding.summary.startswith("torch can't be imported: ")
    assert f"LD_LIBRARY_PATH offers {stub}, " in result.finding.cause


def test_what_is_offered(tmp_path):
    """What a file needs and the path has; the first folder that has it."""
    needs_compiler()
    for folder in ("a", "b"):
        library(tmp_path / folder / "libx.so", soname="libx.so")
    library(tmp_path / "b" / "liby.so", soname="liby.so")
    links = ["-Wl,--no-as-needed", f"-L{tmp_path}/b", "-lx"]
    file = library(tmp_path / "user.so", flags=links)
    junk = tmp_path / "junk.so"
    junk.write_text("no library")

    assert offered([junk, file], f"/nowhere:{tmp_path}/a:{tmp_path}/b") == {
        "libx.so": str(tmp_path / "a" / "libx.so")
    }
    assert offered([file], "") == {}


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
