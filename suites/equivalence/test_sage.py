"""The GraphSAGE layer: every registered implementation against the float64 oracle, forward and backward."""

from __future__ import annotations

import torch

from gnnbench.checks import Evidence, check
from gnnbench.graphs import ProbeGraph, exact_probe_graphs, probe_graphs
from gnnbench.reference.sage import SageBackend, sage_backends

from .cases import judge
from .layers import (
    bind_layer,
    each_implementation,
    each_probe,
    exact_sage_case,
    real_sage_case,
    small,
)


@check(
    catches=("F06", "F07", "F14", "F17", "F19", "F20", "F22", "F41", "F46"),
    fix="Nothing rounds in float32 on this probe: an edge, a count or an operand is wrong, or the products "
    "did not run in float32 (TF32, autocast). Run this check alone, and the same graph on 'dense'.",
)
@each_probe(exact_probe_graphs("none"), smoke="exact_mixed")
@each_implementation("sage", sage_backends())
def test_exact(sage: SageBackend, probe: ProbeGraph, device: torch.device, evidence: Evidence) -> None:
    """Forward, dX, dW_l, dW_r and db equal the float64 oracle bit for bit where nothing can round."""
    case = exact_sage_case(probe.name)
    judge(evidence, sage, case.compare(bind_layer(sage, case.graph, device), device))


@check(
    tier="standard",
    catches=("F06", "F07", "F08", "F14", "F16", "F17", "F19", "F20", "F22", "F46"),
    fix="No order of summation in float32 gives this. If the exact checks pass, see whether TF32 or autocast "
    "is on; else run this check alone, and the same graph on 'dense'.",
)
@each_probe(small(probe_graphs()))
@each_implementation("sage", sage_backends())
def test_bounded(sage: SageBackend, probe: ProbeGraph, device: torch.device, evidence: Evidence) -> None:
    """Forward, dX, dW_l, dW_r and db are within the componentwise error bound of the float64 oracle."""
    case = real_sage_case(probe.name)
    judge(evidence, sage, case.compare(bind_layer(sage, case.graph, device), device))
