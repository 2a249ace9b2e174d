"""What the checks of this suite share, and which of them run last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gnnbench.checks import CheckSpec
from gnnbench.environment import ChildReport, ForkServer, nvml
from gnnbench.environment.health import Listener
from gnnbench.environment.survey import Survey, begin, surveyed
from gnnbench.plugin import contract_key
from gnnbench.session import options_key

from .probing import Probing

_PYG_TIMEOUT_S = 300.0
#: What asks for the server, by fixture.
_NEED_SERVER = frozenset({"fork_server"})
#: They compare the GPUs after everything else has run on them with what they were before; in this order.
_LAST = ("test_throttling", "test_xids", "test_unchanged", "test_still_there")


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str) -> list[pytest.Item] | None:
    """Where nothing is demanded, there is nothing to judge and no check that would say so."""
    options = collector.config.stash.get(options_key, None)
    if name == "test_required" and (options is None or not options.requirements):
        return []
    contract = collector.config.stash.get(contract_key, None)
    if name == "test_holds" and (contract is None or not contract.clauses):
        return []
    return None


_server_key = pytest.StashKey[ForkServer]()


def _fork_server(config: pytest.Config) -> ForkServer:
    if _server_key not in config.stash:
        # torch alone: an extension that brings its process down is imported by PyG, and must not take this one along.
        server = config.stash[_server_key] = ForkServer(["torch"])
        begin(server)
    return config.stash[_server_key]


def pytest_configure(config: pytest.Config) -> None:
    """Begin to import torch beside this process, where it is sure to be needed."""
    options = config.stash.get(options_key, None)
    asked = options is not None and (not options.suites or "environment" in options.suites)
    if asked and not config.getoption("keyword", "") and not config.getoption("collectonly", default=False):
        _fork_server(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the server, and whatever it has forked."""
    if _server_key in config.stash:
        config.stash[_server_key].close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Survey before the machine is described, and look at the GPUs again after everything else."""
    if any(_NEED_SERVER.intersection(getattr(item, "fixturenames", ())) for item in items):
        _fork_server(config)
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
def fork_server(pytestconfig: pytest.Config) -> ForkServer:
    """A clean process that has imported torch, and forks the probes."""
    return _fork_server(pytestconfig)


@pytest.fixture(scope="session")
def survey(fork_server: ForkServer) -> Survey:
    """What a clean process works with."""
    taken = surveyed()
    assert taken is not None
    return taken


@pytest.fixture(scope="session")
def probing(fork_server: ForkServer) -> Probing:
    """The probes."""
    return Probing(fork_server)


@pytest.fixture(scope="session")
def pyg_report(fork_server: ForkServer, survey: Survey) -> ChildReport:
    """What became of importing PyG in a clean process: the survey's, or where that failed one that does nothing else."""
    alone = "gnnbench.environment.pyg:import_alone"
    return survey.pyg or fork_server.start(alone, timeout=_PYG_TIMEOUT_S).wait()


@pytest.fixture(scope="session", autouse=True)
def _begin_early(request: pytest.FixtureRequest) -> None:
    """Start at the first check of the suite what takes seconds, so that it runs beside the others."""
    wanted = []
    names: set[str] = set()
    for item in request.session.items:
        spec = CheckSpec.of(item)
        if spec is None or spec.suite != "environment":
            continue
        names.update(getattr(item, "fixturenames", ()))
        device = getattr(getattr(item, "callspec", None), "params", {}).get("device", "")
        wanted.append((spec.id.partition("[")[0].partition("/")[2], str(device)))
    if "probing" in names:
        request.getfixturevalue("probing").start_all(wanted)
    if "xid_listener" in names:
        request.getfixturevalue("xid_listener")
