"""The graphs that an earlier run recorded, each on the backend that was wrong on it.

Not among the files that pytest collects by itself: `gnnbench replay` names it, and the document with
`--gnnbench-replay`.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch

from gnnbench.checks import Evidence, check, inconclusive
from gnnbench.environment import resolve_devices
from gnnbench.numerics import RandomLayer
from gnnbench.record import REPLAYED, Counterexample, counterexamples, load
from gnnbench.reference import Backend
from gnnbench.reference import backend as registered

from .random_search import replayed


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A graph, who recorded it, and where it is to run."""

    check: str
    counterexample: Counterexample
    device: str


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check for each graph of the document that was named, on each device that was named."""
    option = metafunc.config.getoption
    (document,) = option("gnnbench_replay") or [""]
    if not document:
        raise pytest.UsageError(
            "--gnnbench-replay: expected a document whose graphs to run again, found none"
        )
    only = option("gnnbench_replay_check")
    named = [name for text in option("gnnbench_device") or [] for name in text.replace(",", " ").split()]
    found = [
        Recorded(result.id, counterexample, device)
        for result, counterexample in counterexamples(load(document))
        if not only or result.id in only
        for device in named or [counterexample.device]
    ]
    metafunc.parametrize(
        "recorded", found, ids=[f"{one.check.partition('/')[2]}-{one.device}" for one in found]
    )


@check(tier="smoke")
def test_graph(recorded: Recorded, evidence: Evidence) -> None:
    """The backend that was wrong on this graph is right on it now."""
    example = recorded.counterexample
    evidence.fact(REPLAYED, recorded.check)
    evidence.fact("backend", example.backend)
    evidence.fact("device", recorded.device)
    replayed(evidence, _backend(example.backend), _device(recorded.device), _layer(example))


def _backend(name: str) -> Backend:
    try:
        return registered(name)
    except KeyError:
        inconclusive(
            f"no backend called {name} is registered here",
            fix="name the plugin that registers it: `gnnbench replay run.json -- -p my_plugin`",
        )


def _device(name: str) -> torch.device:
    try:
        (device,) = resolve_devices([name])
    except ValueError as error:
        inconclusive(
            f"the graph was recorded on {name}, which is not here: {error}",
            fix="run it where that device is, or elsewhere with `gnnbench replay run.json --device cpu`",
        )
    return device


def _layer(example: Counterexample) -> RandomLayer:
    try:
        return RandomLayer.of(example)
    except ValueError as error:
        inconclusive(f"the document holds no whole graph: {error}", fix="replay an unaltered document")
