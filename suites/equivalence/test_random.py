"""Tier 1 on graphs that nobody thought of, and where one fails, on the smallest that does."""

from __future__ import annotations

import torch

from gnnbench.checks import Evidence, Tier, check, not_applicable
from gnnbench.numerics import random_layer
from gnnbench.reference import Backend, compiles

from .random_search import RandomSearch

#: Graphs judged, by tier.
_GRAPHS = {Tier.SMOKE: 25, Tier.STANDARD: 25, Tier.FULL: 200, Tier.SOAK: 2000}

#: Compilers make a program for each pair of widths, in seconds, so these backends get few widths and one graph
#: for every five of the others.
_COMPILED_WIDTHS = ((1, 1), (3, 8), (8, 3))
_COMPILED_SHARE = 5


@check(
    tier="standard",
    catches=("F01", "F06", "F07", "F08", "F14", "F16", "F17", "F18", "F19", "F20", "F22", "F23", "F46"),
)
def test_layer(
    backend: Backend, device: torch.device, run_tier: Tier, evidence: Evidence, replay_advice: str
) -> None:
    """On random graphs forward, dX, dW and db are within the componentwise bound; else on this smallest one."""
    try:
        from gnnbench.graphs.strategies import drawn, simplest_failure
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "hypothesis":
            raise
        not_applicable(
            "random graphs come from the package hypothesis, which is not installed",
            needs="package:hypothesis",
            fix="pip install hypothesis",
        )
    compiled = compiles(backend)
    widths = _COMPILED_WIDTHS if compiled else ()
    graphs = _GRAPHS[run_tier] // (_COMPILED_SHARE if compiled else 1)
    search = RandomSearch(backend, device, replay_advice)
    layers = drawn(lambda choices: random_layer(choices, widths))
    search.conclude(evidence, simplest_failure(layers, search.attempt, examples=graphs))
