"""The GAT layer: every registered implementation against the float64 oracle, forward and backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, check, tier
from gnnbench.graphs import ProbeGraph, probe_graphs
from gnnbench.numerics.operands import compare_answer, run_layer
from gnnbench.reference.gat import GatBackend, gat_backends

from .cases import judge
from .layers import LayerCase, bind_layer, each_implementation, each_probe, equal_gat_case, gat_case, small

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


@check(
    tier="standard",
    catches=("F04", "F07", "F08", "F19", "F22"),
    fix="All shares of a node are equal here, so exponentials have no part in it: look at the edges, at the ends "
    "whose scores they add, and at the sums of the backward pass.",
)
@pytest.mark.parametrize("concat", [True, False], ids=["concatenated", "averaged"])
@pytest.mark.parametrize("probe", ["exact_plain", "exact_multigraph"])
@each_implementation("gat", gat_backends())
def test_equal_shares(
    gat: GatBackend, probe: str, concat: bool, device: torch.device, evidence: Evidence
) -> None:
    """Where every node attends to all it hears alike nothing rounds, attention's gradients included: bit for bit.

    Exponentials may be a little off 1, as where no maximum is subtracted. That shows at every node, and then the
    bounds judge.
    """
    case, exact = equal_gat_case(probe, concat=concat)
    found = run_layer(bind_layer(gat, case.graph, device, concat=concat), case.inputs.to(device))
    bounds = None
    if rounds_everywhere(found, case):
        evidence.fact("shares", "rounded at most nodes: judged within bounds, not bit for bit")
        bounds = case.bounds
    evidence.fact("judged", list(exact))
    judge(evidence, gat, compare_answer(found, case.answer, bounds, device=device, quantities=exact))


def rounds_everywhere(found: Mapping[str, Any], case: LayerCase) -> bool:
    """Whether the forward pass or dX is off at more than half of the nodes that hear others."""
    hears = case.graph.in_degree() > 0
    for name in ("forward", "dX"):
        right, got = case.answer.values[name], found[name]
        if isinstance(got, Tensor) and got.shape == right.shape:
            off = (got.cpu().double() != right).any(dim=1)
            if int((off & hears).sum()) * 2 > int(hears.sum()):
                return True
    return False
