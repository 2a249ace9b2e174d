"""The GAT layer: every registered implementation against the float64 oracle, forward and backward."""

from __future__ import annotations

import pytest
import torch

from gnnbench.checks import Evidence, check, tier
from gnnbench.graphs import ProbeGraph, probe_graphs
from gnnbench.reference.gat import GatBackend, gat_backends

from .cases import judge
from .layers import bind_layer, each_implementation, each_probe, gat_case, small

#: Large enough that exponentials of the scores overflow float32 on either side.
LARGE = 100.0


@check(
    catches=("F06", "F07", "F08", "F16", "F17", "F19", "F22", "F46"),
    fix="No order of summation in float32 gives this. Compare the scores, the shares and the weighted sum "
    "of one wrong node with those of 'dense' on the same graph; see whether TF32 or autocast is on.",
)
@pytest.mark.parametrize(
    ("heads", "concat"),
    [
        pytest.param(3, True, id="concatenated"),
        pytest.param(3, False, id="averaged", marks=tier("standard")),
        pytest.param(1, True, id="single", marks=tier("standard")),
    ],
)
@each_probe(small(probe_graphs()), smoke="mixed")
@each_implementation("gat", gat_backends())
def test_bounded(
    gat: GatBackend,
    probe: ProbeGraph,
    heads: int,
    concat: bool,
    device: torch.device,
    evidence: Evidence,
) -> None:
    """Forward and all gradients are within the running error bound of the float64 oracle."""
    case = gat_case(probe.name, heads, concat=concat)
    judge(evidence, gat, case.compare(bind_layer(gat, case.graph, device, concat=concat), device))


@check(
    tier="standard",
    fix="Subtract the highest score of each node's in-edges before taking exponentials.",
)
@each_probe([probe for probe in probe_graphs() if probe.name in ("mixed", "directed", "random")])
@each_implementation("gat", gat_backends())
def test_large_scores(gat: GatBackend, probe: ProbeGraph, device: torch.device, evidence: Evidence) -> None:
    """Scores beyond ±88, whose exponentials float32 does not hold, give the same shares."""
    case = gat_case(probe.name, 3, concat=True, scale=LARGE)
    judge(evidence, gat, case.compare(bind_layer(gat, case.graph, device, concat=True), device))
