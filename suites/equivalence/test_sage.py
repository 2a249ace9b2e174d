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
    catches=("F06", "F07", "F14", "F17", "F19", "F20", "F22", "F41"),
    fix="Nothing rounds in float32 on this probe: an edge, a count or an operand is wrong. "
    "Run this check alone, and the same graph on 'dense'.",
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


@check(
    tier="standard",
    catches=("F14", "F46"),
    fix="Count in-edges, and add up what they bring, in float32 or wider: 16-bit formats stop counting at 256 "
    "(bfloat16) and 2048 (float16).",
)
@each_probe([probe for probe in probe_graphs() if probe.name in ("hub", "hub_2049")])
@each_implementation("sage", sage_backends())
def test_hubs(sage: SageBackend, probe: ProbeGraph, device: torch.device, evidence: Evidence) -> None:
    """Means over 257 and 2,049 neighbours, and dX, are within the bound where all numbers are positive.

    dW_l is left to the other checks: here thousands of its terms are below an ulp of the sum, which then
    rounds them to one side, and the bound takes roundings not to conspire.
    """
    case = real_sage_case(probe.name, positive=True)
    layer = bind_layer(sage, case.graph, device)
    judge(evidence, sage, case.compare(layer, device, ("forward", "dX")))
