"""gnnbench.numerics.precision: declared and real precision agree, both ways."""

import math
from itertools import pairwise

import pytest
import torch
from mutants import Mutant, rounded

from gnnbench.graphs import power_law
from gnnbench.numerics import (
    BANDS,
    TRIPWIRES,
    classify,
    compare_exact,
    compare_precision,
    evaluate,
    gcn_oracle,
    real_inputs,
    relative_error,
    require_exact,
    tripwire_graph,
    tripwire_inputs,
)
from gnnbench.numerics.rounding import round_significand


@pytest.mark.parametrize(
    ("rho", "precision"),
    [
        (0.0, "fp32"),
        (1.2e-7, "fp32"),
        (5.6e-7, "fp32"),
        (3e-5, "fault"),
        (2.7e-4, "tf32 or fp16"),
        (7.6e-4, "tf32 or fp16"),
        (1.2e-3, "fault"),
        (2.2e-3, "bf16"),
        (4.0e-3, "bf16"),
        (8e-3, "fault"),
        (1.0, "fault"),
        (math.inf, "fault"),
        (math.nan, "fault"),
    ],
)
def test_classes(rho, precision):
    """The values that were measured fall into their classes, and those between into none."""
    assert classify(rho) == precision


def test_bands_do_not_overlap():
    """A rho has one class."""
    for lower, higher in pairwise(BANDS):
        assert lower.low < lower.high < higher.low


def test_relative_error_by_hand():
    """‖(0.3, 0.4)‖ ÷ ‖(3, 4)‖."""
    assert relative_error(
        torch.tensor([3.3, 4.4], dtype=torch.float64), torch.tensor([3.0, 4.0])
    ) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="must not be zero everywhere"):
        relative_error(torch.ones(2), torch.zeros(2))


@pytest.mark.parametrize(("bits", "real"), [(24, "fp32"), (11, "tf32 or fp16"), (8, "bf16")])
@pytest.mark.parametrize(("features", "channels"), [(32, 16), (512, 16), (512, 512)])
def test_rho_tells_the_precision_whatever_the_width(bits, real, features, channels):
    """Emulated operands of 24, 11 and 8 bits, on a power-law graph, for narrow and wide X and results."""
    graph = power_law(500, 4000, seed=3, device="cpu")
    inputs = real_inputs(500, features, channels, bias=False)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, None, inputs.upstream)
    operands = rounded(bits) if bits < 24 else (lambda t: t)
    found = evaluate(Mutant(operands=operands).bind(graph), inputs)

    for quantity in ("forward", "dX", "dW"):
        assert compare_precision(quantity, getattr(found, quantity), oracle, real).passed, quantity


def comparison_of(scale, declared):
    graph = tripwire_graph()
    inputs = real_inputs(graph.num_nodes, 16, 8, bias=False)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, None, inputs.upstream)
    return compare_precision("forward", oracle.forward * (1 + scale), oracle, declared, dtype=torch.float64)


@pytest.mark.parametrize(
    ("scale", "declared", "cause"),
    [
        (3e-4, "fp32", "TF32 is allowed"),
        (3e-3, "fp32", "autocast to bfloat16"),
        (3e-7, "bf16", "ran in float32: what should switch bf16 on has no effect"),
        (3e-7, "tf32 or fp16", "ran in float32"),
        (0.5, "fp32", "the result is wrong, whatever its precision"),
    ],
)
def test_the_cause_is_what_to_look_at(scale, declared, cause):
    """Both directions fail, with a margin above 1 and the setting to look at."""
    comparison = comparison_of(scale, declared)

    assert not comparison.passed
    assert comparison.ratio > 1
    assert cause in comparison.cause
    assert comparison.summary.startswith(f"forward: expected {declared} (")


def test_a_class_that_is_none_is_refused():
    """The message lists the classes."""
    with pytest.raises(ValueError, match=r"expected one of \['fp32', 'tf32 or fp16', 'bf16'\], found 'fp8'"):
        comparison_of(0, "fp8")


@pytest.mark.parametrize("tripwire", TRIPWIRES, ids=lambda t: t.precision)
@pytest.mark.parametrize(("operand", "quantities"), [("x", ("forward", "dW")), ("upstream", ("dX",))])
@pytest.mark.parametrize("features", [64, 512])
def test_tripwires_tell_precisions_apart(tripwire, operand, quantities, features):
    """Exact in the precision they are named for and above, not exact below."""
    graph, inputs = tripwire_graph(), tripwire_inputs(tripwire, operand, features)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, None, inputs.upstream)
    require_exact(oracle)
    order = ["bf16", "tf32 or fp16", "fp32"]

    for real, operands in (("bf16", rounded(8)), ("tf32 or fp16", rounded(11)), ("fp32", lambda t: t)):
        found = evaluate(Mutant(operands=operands).bind(graph), inputs)
        exact = order.index(real) >= order.index(tripwire.precision)
        for quantity in quantities:
            # dX multiplies ÂᵀG, whose quarters need two bits more than X has: with 11 bits it rounds anyhow.
            if operand == "upstream" and real == tripwire.precision == "tf32 or fp16":
                continue
            assert compare_exact(quantity, getattr(found, quantity), oracle).passed is exact, (real, quantity)


def test_rounding_is_that_of_the_types():
    """11 and 8 bits to nearest, ties to even, as torch converts to float16 and bfloat16."""
    values = torch.randn(2000, generator=torch.Generator().manual_seed(0))
    ties = torch.tensor([1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 0.0, -1024.5])
    values = torch.cat([values[values.abs() > 1e-3], ties])

    assert torch.equal(round_significand(values, 11), values.half().double())
    assert torch.equal(round_significand(values, 8), values.bfloat16().double())
    tiny = values.double() * 2.0**-200
    assert torch.equal(round_significand(tiny, 8), values.bfloat16().double() * 2.0**-200)
