"""What backends that compile are asked, how many threads a check gets on a CPU, and what is advised about a recorded graph."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gnnbench.checks import tier
from gnnbench.checks.replay import replay_command
from gnnbench.session import options_key

#: torch splits its own kernels from 32,768 elements on (at::internal::GRAIN_SIZE); a second thread is worth its
#: waking from eight times as many on, and the power-law probe has more.
_GRAIN = 8 * 32768


#: Files that ask for many forms of operands. A backend that compiles spends seconds on each: it goes through them
#: from tier full on, and through the others, the covering array of conditions among them, in every tier.
_MANY_FORMS = {
    *("test_algebra", "test_calls", "test_events", "test_relations", "test_seeds", "test_shapes"),
    *("test_weighted_calls", "test_weighted_layer", "test_weighted_operands"),
}

#: Of the probe graphs, which each may be a form of its own, those that it meets in every tier.
_FEW_PROBES = {
    "directed",
    "mixed",
    "random",
    "hub",
    "width_1",
    "exact_plain",
    "exact_mixed",
    "exact_hub_1024",
}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Move the many forms of backends that compile to tier full."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    backend, probe = params.get("backend", params.get("weighted_backend")), params.get("probe")
    # Nothing is imported for it: without torch there is no backend here.
    if not getattr(backend, "compiles", False):
        return
    rare = probe is not None and getattr(probe, "name", probe) not in _FEW_PROBES
    if rare or item.path.stem in _MANY_FORMS:
        item.add_marker(tier("full"))


@pytest.fixture(autouse=True)
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """One thread on the CPU where the work is too small to be split.

    Libraries wake their threads all the same, and on a busy machine waiting for them took twenty times as
    long as the work. Compiled kernels keep the number of threads they were compiled under, so they always get
    all.
    """
    # Not at the top: without torch every file would fail to load here, and none be judged.
    import torch

    from gnnbench.graphs import ProbeGraph
    from gnnbench.reference import compiles

    callspec = getattr(request.node, "callspec", None)
    params = {} if callspec is None else callspec.params
    device, probe = params.get("device"), params.get("probe")
    backend = params.get("backend", params.get("weighted_backend"))
    messages = probe.graph.num_edges * max(probe.widths) if isinstance(probe, ProbeGraph) else 0
    compiled = compiles(backend)
    if not isinstance(device, torch.device) or device.type != "cpu" or compiled or messages >= _GRAIN:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def replay_advice(pytestconfig: pytest.Config) -> str:
    """What to do about a graph that a check records: the command that runs it again, from the run's document."""
    options = pytestconfig.stash[options_key]
    if options.folder is None:
        return "Give the run a folder (--gnnbench-output): gnnbench replay runs this graph again from what is written there"
    command = replay_command(options.folder / "run.json", options.plugins)
    return f"Run this graph again, from the document of this run: `{command}`"
