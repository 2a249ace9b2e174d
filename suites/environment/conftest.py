"""What the checks of this suite share, and which of them runs last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gnnbench.environment import Child, ChildReport, NvmlGpu, NvmlUnavailableError, nvml, start
from gnnbench.environment.pyg import installed_extensions
from gnnbench.plugin import contract_key, options_key

_PYG_TIMEOUT_S = 300.0


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str) -> list[pytest.Item] | None:
    """Where nothing is demanded, there is nothing to judge and no check that would say so."""
    options = collector.config.stash.get(options_key, None)
    if name == "test_required" and (options is None or not options.requirements):
        return []
    contract = collector.config.stash.get(contract_key, None)
    if name == "test_holds" and (contract is None or not contract.clauses):
        return []
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask the GPUs whether they are still there after everything else has run on them."""
    items.sort(key=lambda item: getattr(item, "originalname", "") == "test_still_there")


@pytest.fixture(scope="session")
def gpus_at_start() -> tuple[NvmlGpu, ...] | NvmlUnavailableError:
    """The GPUs as NVML saw them first, or why it could not be asked."""
    try:
        return nvml.gpus()
    except NvmlUnavailableError as error:
        return error


@pytest.fixture(scope="session")
def pyg_child() -> Iterator[Child]:
    """PyG and its extensions, being imported and exercised in one clean process."""
    with start(
        "gnnbench.environment.pyg:probe", list(installed_extensions()), timeout=_PYG_TIMEOUT_S
    ) as child:
        yield child


@pytest.fixture(scope="session", autouse=True)
def _begin_early(request: pytest.FixtureRequest) -> None:
    """Start at the first check of the suite what takes seconds, so that it runs beside the others."""
    wants_it = any("pyg_report" in getattr(item, "fixturenames", ()) for item in request.session.items)
    if wants_it:
        request.getfixturevalue("pyg_child")


@pytest.fixture(scope="session")
def pyg_report(pyg_child: Child) -> ChildReport:
    """What became of it; waits for its end."""
    return pyg_child.wait()
