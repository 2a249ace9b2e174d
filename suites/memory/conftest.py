"""The child process that runs trials, started early so that it imports torch while other suites run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gnnbench.memory import TrialServer

server_key = pytest.StashKey[TrialServer]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the child as soon as it is known that a check here will run; it takes seconds to be ready."""
    here = Path(__file__).parent
    # A worker of pytest-xdist is only given some of the items, so it waits until a check asks.
    early = not session.config.option.collectonly and not hasattr(session.config, "workerinput")
    if early and any(here in item.path.parents for item in session.items):
        server = session.config.stash[server_key] = TrialServer()
        server.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the child, however the session ended."""
    server = config.stash.get(server_key, None)
    if server is not None:
        server.close()


@pytest.fixture(scope="session")
def trials(pytestconfig: pytest.Config) -> Iterator[TrialServer]:
    """The child process that runs trials."""
    with pytestconfig.stash.setdefault(server_key, TrialServer()) as server:
        yield server
