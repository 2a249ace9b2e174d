"""For every test: warnings are errors, and the outside world's variables stay outside."""

import os
import resource
from pathlib import Path

import pytest

#: What would change the outcome of a run started by a test.
_OUTSIDE = (
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "GITHUB_STEP_SUMMARY",
    "GNNBENCH_DATA",
    "NO_COLOR",
    "PYTEST_ADDOPTS",
    "PYTEST_XDIST_WORKER",  # pytest-benchmark would take a session within a test for a worker
)


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error"), append=False)


@pytest.fixture(autouse=True)
def inside(monkeypatch):
    """No test sees the variables of the CI it runs in."""
    for name in _OUTSIDE:
        monkeypatch.delenv(name, raising=False)


_DATA = os.environ.get("GNNBENCH_DATA") or Path(__file__).parents[2] / "shared" / "data" / "planetoid"


@pytest.fixture(scope="session")
def planetoid_root():
    """A folder with Cora and CiteSeer in PyG's raw layout; a bare clone has none."""
    root = Path(_DATA)
    if not (root / "Cora" / "raw").is_dir():
        pytest.skip("no data sets: name their folder in GNNBENCH_DATA")
    return root


@pytest.fixture
def few_files():
    """Sets how many files may be opened from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def leave(number):
        # The limit is on the number of a descriptor, and other tests may have left gaps and some beyond them.
        used = {int(name) for name in os.listdir("/proc/self/fd")}
        limit = 0
        while number:
            number -= limit not in used
            limit += 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))

    yield leave
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Two sound GPUs that are not there, asked through nvidia-ml-py."""
    from compiled_files import needs_compiler
    from fake_machine import Machine

    needs_compiler()
    made = Machine(tmp_path_factory.mktemp("driver"))
    yield made
    made.close()
