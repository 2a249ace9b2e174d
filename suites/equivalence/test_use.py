"""A layer as programs use it: for inference, in another thread, in other dtypes, under a loss over some nodes.

All exact but for inference, which is judged by every tier: the forward pass of an evaluation takes other paths
through torch than that of a training, and most checks only ever see the latter.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, check, fail
from gnnbench.graphs import Graph, SelfLoops
from gnnbench.numerics import (
    GRADIENTS,
    LayerInputs,
    LayerResult,
    compare_precision,
    evaluate,
    exact_inputs,
)
from gnnbench.reference import Backend

from .cases import Case, bind, bounded_case, exact_case, judge, make_case
from .test_precision import gaussian_case, tripwire_case

PROBE = "exact_plain"


@cache
def without_bias(name: str) -> Case:
    """The bounded case of that name, its bias left out."""
    case = bounded_case(name)
    return make_case(case.graph, replace(case.inputs, bias=None), exact=False)


def inference_cases() -> dict[str, tuple[Case, SelfLoops]]:
    """What inference is judged on: rounding, both orders of products, no bias, other loops, the tripwire."""
    return {
        "random": (bounded_case("random"), "add"),
        "random, no bias": (without_bias("random"), "add"),
        "widening": (bounded_case("widening"), "add"),
        "tripwire": (tripwire_case("x"), "add"),
        "loops of its own": (exact_case("exact_plain", "none"), "none"),
        "remaining loops": (exact_case("exact_plain", "add_remaining"), "add_remaining"),
    }


@check(
    catches=("F46", "F48"),
    fix="Without gradients another path is taken: look at what the layer does under torch.no_grad and eval().",
)
@pytest.mark.parametrize("mode", ["no_grad", "inference_mode"])
def test_inference(backend: Backend, mode: str, device: torch.device, evidence: Evidence) -> None:
    """Without gradients the layer gives what it gives in a training: same numbers, same precision, no graph."""
    context: Callable[[], AbstractContextManager[None]] = getattr(torch, mode)
    comparisons = []
    for case, self_loops in inference_cases().values():
        layer = bind(backend, case.graph, device, self_loops)
        inputs = case.inputs.to(device)
        out = inferred(layer, inputs, context)
        if out is None:
            continue
        if out.requires_grad:
            fail(f"{backend.name}: a result under {mode} requires a gradient", expected="none", found="one")
        comparisons += case.compare(LayerResult(forward=out), device, ["forward"])
    case = gaussian_case()
    out = inferred(bind(backend, case.graph, device), case.inputs.to(device), context)
    if out is not None:
        comparisons.append(compare_precision("forward", out, case.oracle, "fp32", device=device))
    evidence.fact("judged", len(comparisons))
    if comparisons:
        judge(evidence, backend, comparisons)


def inferred(
    layer: Callable[..., Tensor], inputs: LayerInputs, context: Callable[[], AbstractContextManager[None]]
) -> Tensor | None:
    """The result; None where torch refuses what the layer keeps: tensors made outside can't be versioned within."""
    try:
        with context():
            return layer(inputs.x, inputs.weight, inputs.bias)
    except RuntimeError as error:
        if "inference tensor" in str(error).lower():
            return None
        raise


@cache
def masked_cases() -> tuple[Case, ...]:
    """Gradients from above as a loss over some nodes gives them: most rows zero, one row, one entry."""
    case = exact_case(PROBE)
    nodes, channels = case.inputs.upstream.shape
    some = torch.arange(nodes) % 5 == 3
    masks = [some[:, None].expand(-1, channels), (torch.arange(nodes) == 1)[:, None].expand(-1, channels)]
    entry = torch.zeros(nodes, channels, dtype=torch.bool)
    entry[nodes // 2, channels - 1] = True
    return tuple(
        make_case(case.graph, replace(case.inputs, upstream=case.inputs.upstream * mask.float()), exact=True)
        for mask in (*masks, entry)
    )


@check(
    catches=("F08",),
    fix="The backward pass takes rows of the gradient that are zero for something else: losses over a training mask "
    "give most nodes none.",
)
def test_masked_loss(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """A loss over a few nodes, or a single number, has the gradients that it must."""
    comparisons = []
    for case in masked_cases():
        layer = bind(backend, case.graph, device)
        comparisons += case.compare(evaluate(layer, case.inputs.to(device)), device)
    judge(evidence, backend, comparisons)


@check(
    tier="standard",
    fix="Edge weights in another dtype than float32 are dropped or misread: convert them, or refuse them.",
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=["float64", "float16"])
def test_weight_dtype(backend: Backend, dtype: torch.dtype, device: torch.device, evidence: Evidence) -> None:
    """Edge weights of float64 and float16 that float32 holds exactly give the same result."""
    case = exact_case("exact_weighted")
    graph = Graph(case.graph.edge_index, case.graph.num_nodes, case.graph.weights(dtype))
    layer = bind(backend, graph, device)
    inputs = case.inputs.to(device)
    with torch.no_grad():
        out = layer(inputs.x, inputs.weight, inputs.bias)
    judge(evidence, backend, case.compare(LayerResult(forward=out), device, ["forward"]))


@check(fix="The layer, or what it calls, changes something that belongs to the whole program.")
def test_global_state(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Binding, forward and backward leave random generators, dtype, threads and torch's switches as they were."""
    case = exact_case(PROBE)
    ours, cuda = random.getstate(), [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        # A state that no layer would put back by chance.
        torch.manual_seed(0x5EED_0F_1A7E)
        random.seed(0x5EED_0F_1A7E)
        before = global_state(device)
        evaluate(bind(backend, case.graph, device), case.inputs.to(device))
        after = global_state(device)
    random.setstate(ours)
    changed = [name for name, value in before.items() if not same(value, after[name])]
    if changed:
        fail(
            f"{backend.name}: {', '.join(changed)} changed by the layer",
            expected="the state of the program as it was before the call",
            found=f"another {changed[0]}",
        )
    evidence.fact("looked_at", list(before))


def global_state(device: torch.device) -> dict[str, object]:
    """What a layer has no business with."""
    return {
        "torch's random state": torch.get_rng_state(),
        "the device's random state": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "Python's random state": random.getstate(),
        "default dtype": torch.get_default_dtype(),
        "gradient mode": torch.is_grad_enabled(),
        "number of threads": torch.get_num_threads(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "precision of float32 products": torch.get_float32_matmul_precision(),
        "TF32 in cuDNN": torch.backends.cudnn.allow_tf32,
        "flushing of subnormal numbers": bool(torch.tensor(1e-45) * 1.0 == 0),
    }


def same(before: object, after: object) -> bool:
    """Whether two values of a state are one."""
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return torch.equal(before, after)
    return before == after


@check(
    tier="standard",
    fix="Something in the layer belongs to the thread that made it: a stream, a mode, a local.",
)
def test_thread(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Forward and backward in another thread than the one that bound the layer give the same."""
    case = exact_case(PROBE)
    layer = bind(backend, case.graph, device)
    found: list[LayerResult | BaseException] = []

    def work() -> None:
        try:
            found.append(evaluate(layer, case.inputs.to(device)))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    (result,) = found
    if isinstance(result, BaseException):
        raise result
    judge(evidence, backend, case.compare(result, device))


@check(
    tier="standard",
    catches=("F41",),
    fix="Numbers that are not finite are hidden or spread: a training must see them, and other nodes must not.",
)
@pytest.mark.parametrize("number", [float("nan"), float("inf")], ids=["nan", "inf"])
def test_not_finite(backend: Backend, number: float, device: torch.device, evidence: Evidence) -> None:
    """A feature that is no number reaches the nodes that hear it, and no others, or all where zeros are multiplied."""
    case = exact_case(PROBE)
    node = int(case.graph.source[0])
    inputs = case.inputs.to(device)
    inputs.x[node, 0] = number
    inputs.weight[0] = 1
    layer = bind(backend, case.graph, device)
    with torch.no_grad():
        out = layer(inputs.x, inputs.weight, inputs.bias)
    spoilt = (~torch.isfinite(out)).cpu()
    hears = torch.zeros(case.graph.num_nodes, dtype=torch.bool)
    hears[case.graph.target[case.graph.source == node]] = True
    hears[node] = True
    evidence.fact("rows", int(spoilt.any(dim=1).sum()))
    hidden = hears & ~spoilt.all(dim=1)
    # A dense matrix multiplies it by its zeros as well, and 0 · NaN is NaN.
    leaked = spoilt.any(dim=1) & ~hears
    if bool(hidden.any()) or (bool(leaked.any()) and not bool(spoilt.all())):
        kind = "hidden from" if bool(hidden.any()) else "spread to"
        at = int((hidden if bool(hidden.any()) else leaked).nonzero()[0])
        fail(
            f"{backend.name}: a feature of {number} at node {node} is {kind} node {at}",
            expected=f"{int(hears.sum())} rows that are not finite: those that hear node {node}",
            found=f"{int(spoilt.any(dim=1).sum())} rows",
        )


@cache
def float64_case() -> Case:
    """Whole numbers with 2^-40 added: more bits than float32 has, and all of them exact in float64."""
    case = exact_case(PROBE)
    inputs = exact_inputs(case.graph.num_nodes).to("cpu", torch.float64)
    return make_case(case.graph, replace(inputs, x=inputs.x + 2.0**-40), exact=False)


@check(
    tier="standard",
    fix="A layer bound in float64 computes in float32 somewhere: look for .float() and defaults.",
)
def test_float64(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Bound in float64, the layer keeps what float32 would lose: forward and gradients equal the oracle."""
    case = float64_case()
    layer = bind(backend, case.graph, device, dtype=torch.float64)
    found = evaluate(layer, case.inputs.to(device))
    judge(
        evidence,
        backend,
        [case.exact_in(name, getattr(found, name), device) for name in ("forward", *GRADIENTS)],
    )
