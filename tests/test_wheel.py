"""The wheel: what is in it, that it disturbs nothing, and that its checks are those of the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from gnnbench.record import load

ROOT = Path(__file__).parents[1]


def execute(*command, **options):
    """Run a command; on failure the test shows what it said."""
    ended = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    execute(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_is_whole(wheel):
    """Every module, template, schema and suite is in the wheel; tests and a top-level `suites` are not."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = execute("git", "-C", ROOT, "ls-files", "gnnbench", "suites").split()
    wanted = {f"gnnbench/{name}" if name.startswith("suites/") else name for name in tracked}

    assert wanted <= inside
    assert {name.partition("/")[0] for name in inside} == {
        "gnnbench",
        f"gnnbench-{distribution('gnnbench').version}.dist-info",
    }


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An environment as a GPU image has it: its own torch and PyG, and a numpy from before 2.0.

    torch and what it needs are the real ones of this environment, seen through links.
    """
    folder = tmp_path_factory.mktemp("image")
    venv.create(folder, with_pip=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    ours = Path(sysconfig.get_path("purelib"))
    for name in ("torch", "torch_geometric"):
        for path in (ours / name, Path(str(distribution(name)._path))):
            (site / path.name).symlink_to(path)
    python = folder / "bin" / "python"
    execute(python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "numpy==1.26.*")
    return python


def installed(python):
    return {
        entry["name"]: entry["version"]
        for entry in json.loads(execute(python, "-m", "pip", "list", "--format=json"))
    }


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="numpy 1.26 has no wheel for this Python")
@pytest.mark.parametrize("extra", ["", "[report]"])
def test_installing_changes_no_version(image, wheel, extra):
    """Installed, resolver and all, into an image with torch and numpy 1.26, it changes no version."""
    before = installed(image)
    assert before["numpy"].startswith("1.26.")
    assert {"torch", "torch-geometric"} <= set(before)

    execute(image, "-m", "pip", "install", "--quiet", f"{wheel}{extra}")

    after = installed(image)
    assert {name: after.get(name) for name in before} == before
    assert "gnnbench" in after


def test_no_dependency_on_what_is_under_test(wheel):
    """Neither the core nor the report extra names a package that an image brings itself."""
    metadata = next(
        zipfile.ZipFile(wheel).read(name).decode()
        for name in zipfile.ZipFile(wheel).namelist()
        if name.endswith("METADATA")
    )
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    core = [
        line.split()[1].lower() for line in required if "extra ==" not in line or "extra == 'report'" in line
    ]

    assert core
    for name in ("torch", "numpy", "scipy", "torch-geometric", "torch_geometric"):
        assert not [line for line in core if line.partition(">")[0].partition("=")[0] == name], name


def outcomes(folder):
    (path,) = folder.glob("reports/*/run.json")
    return {result.id: result.outcome for result in load(path).results}


def test_every_way_to_run_the_suites_is_the_same(wheel, tmp_path):
    """A checkout, an installed wheel and pytest-xdist give the same ids and outcomes."""
    site = tmp_path / "site"
    execute(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel)
    # An editable install leaves the checkout importable; a user of the wheel has none.
    (site / "sitecustomize.py").write_text(
        f"import sys; sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
    )
    ways = {
        "checkout": ([ROOT / "suites"], {}),
        "xdist": ([ROOT / "suites", "-n", "2"], {}),
        "wheel": (["--pyargs", "gnnbench.suites"], {"PYTHONPATH": str(site)}),
    }
    seen = {}
    for name, (arguments, environment) in ways.items():
        folder = tmp_path / name
        folder.mkdir()
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *map(str, arguments), "--gnnbench-tier=smoke",
             "-p", "no:cacheprovider",
             f"--gnnbench-output={folder / 'reports'}", "-q"],
            cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode in (0, 1, 13), ended.stdout + ended.stderr
        seen[name] = outcomes(folder)

    assert len(seen["checkout"]) > 50
    assert seen["xdist"] == seen["checkout"]
    assert seen["wheel"] == seen["checkout"]
