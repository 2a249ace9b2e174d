"""The graphs that an earlier run recorded, each on the backend that was wrong on it.

Not among the files that pytest collects by itself: `gnnbench replay` names it, and the document with
`--gnnbench-replay`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from gnnbench.checks import Evidence, check, inconclusive
from gnnbench.checks.replay import Recorded, replay_command
from gnnbench.environment import resolve_devices
from gnnbench.numerics import RandomLayer
from gnnbench.record import REPLAYED, Counterexample
from gnnbench.reference import Backend
from gnnbench.reference import backend as registered
from gnnbench.session import options_key

from .random_search import replayed


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check for each graph of the document that was named, on each device that was named."""
    options = metafunc.config.stash[options_key]
    if options.replay is None:
        raise pytest.UsageError(
            "--gnnbench-replay: expected a document whose graphs to run again, found none"
        )
    found = options.replay.graphs(options.devices)
    metafunc.parametrize(
        "recorded", found, ids=[f"{one.check.partition('/')[2]}-{one.device}" for one in found]
    )


@pytest.fixture
def command(pytestconfig: pytest.Config) -> Callable[..., str]:
    """`command(plugin, *more)`: the command line that replays the same document, with one more plugin and words."""
    options = pytestconfig.stash[options_key]
    assert options.replay is not None
    document = options.replay.document
    return lambda plugin, *more: replay_command(
        document, [*options.plugins, *([plugin] if plugin else [])], *more
    )


@check(tier="smoke")
def test_graph(
    recorded: Recorded, evidence: Evidence, replay_advice: str, command: Callable[..., str]
) -> None:
    """The backend that was wrong on this graph is right on it now."""
    example = recorded.counterexample
    evidence.device = recorded.device
    evidence.fact(REPLAYED, recorded.check)
    evidence.fact("backend", example.backend)
    backend = _backend(example.backend, command)
    device = _device(recorded.device, command)
    replayed(evidence, backend, device, _layer(example), replay_advice)


def _backend(name: str, command: Callable[..., str]) -> Backend:
    try:
        return registered(name)
    except KeyError:
        inconclusive(
            f"no backend called {name} is registered here",
            fix=f"name the module that registers it in place of MODULE: `{command('MODULE')}`",
        )


def _device(name: str, command: Callable[..., str]) -> torch.device:
    try:
        (device,) = resolve_devices([name])
    except ValueError as error:
        inconclusive(
            f"the graph was recorded on {name}, which is not here: {error}",
            fix=f"run it where that device is, or elsewhere: `{command('', '--device', 'cpu')}`",
        )
    return device


def _layer(example: Counterexample) -> RandomLayer:
    try:
        return RandomLayer.of(example)
    except ValueError as error:
        inconclusive(f"the document holds no whole graph: {error}", fix="replay an unaltered document")
