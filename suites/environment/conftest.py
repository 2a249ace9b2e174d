"""What the checks of this suite share, and which of them run last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gnnbench.environment import Child, ChildReport, nvml, start
from gnnbench.environment.health import Listener
from gnnbench.environment.pyg import installed_extensions
from gnnbench.plugin import options_key

_PYG_TIMEOUT_S = 300.0
#: They compare the GPUs after everything else has run on them with what they were before; in this order.
_LAST = ("test_throttling", "test_xids", "test_unchanged", "test_still_there")


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str) -> list[pytest.Item] | None:
    """Where nothing is required, there is no requirement to judge and no check that would say so."""
    options = collector.config.stash.get(options_key, None)
    if name == "test_required" and (options is None or not options.requirements):
        return []
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the GPUs again after everything else has run on them."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    name = getattr(item, "originalname", "")
    return _LAST.index(name) + 1 if name in _LAST and item.path.name == "test_health.py" else 0


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look at the GPUs before anything runs on them, whatever suite comes first."""
    if any(item.path.name == "test_health.py" for item in session.items):
        nvml.first()


@pytest.fixture(scope="session")
def gpus_at_end() -> nvml.Snapshot:
    """The GPUs after everything else has run on them; as at the start where there was none to look at again."""
    before = nvml.first()
    return nvml.take() if before.gpus else before


@pytest.fixture(scope="session")
def xid_listener() -> Iterator[Listener | None]:
    """A process that listens for Xids; None where there is no GPU to listen to."""
    if not nvml.first().gpus:
        yield None
        return
    listener = Listener()
    yield listener
    listener.close()


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
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    if "pyg_report" in wanted:
        request.getfixturevalue("pyg_child")
    if "xid_listener" in wanted:
        request.getfixturevalue("xid_listener")


@pytest.fixture(scope="session")
def pyg_report(pyg_child: Child) -> ChildReport:
    """What became of it; waits for its end."""
    return pyg_child.wait()
