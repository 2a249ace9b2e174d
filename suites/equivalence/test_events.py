"""A layer is right after what happens to programs: calls that fail, memory that is handed back and used again. Bit for bit."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch
from torch import Tensor

from gnnbench.checks import Evidence, check
from gnnbench.numerics import LayerInputs, evaluate
from gnnbench.reference import Backend, Layer

from .cases import bind, exact_case, judge

PROBE = "exact_weighted"

#: Tensors that take the place of freed ones, of each size from one number to what the probe's messages take.
_REUSED, _SIZES = 8, tuple(4**power for power in range(9))


@check(
    tier="standard",
    fix="The layer keeps something by its address, or by a weak reference, and it is gone: hold what later calls need, "
    "edges and weights of the graph before all.",
)
def test_collection(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """After the garbage is collected and its memory used for other numbers, the layer gives what it gave before."""
    case = exact_case(PROBE)
    # Of a copy of the graph that nobody but the layer holds.
    layer = bind(backend, case.graph, device)
    comparisons = case.compare(evaluate(layer, case.inputs.to(device)), device)
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    reused = [torch.full((size,), torch.nan, device=device) for size in _SIZES for _ in range(_REUSED)]
    comparisons += case.compare(evaluate(layer, case.inputs.to(device)), device)
    del reused  # not before
    judge(evidence, backend, comparisons)


class _Interrupted(Exception):
    """What a hook of the caller raises in the middle of the backward pass."""


def too_many_features(layer: Layer, inputs: LayerInputs) -> None:
    """One column more than the weight has rows."""
    layer(torch.cat([inputs.x, inputs.x[:, :1]], dim=1), inputs.weight, inputs.bias)


def too_long_bias(layer: Layer, inputs: LayerInputs) -> None:
    """A bias of one channel more, which fails when the messages have been added up."""
    assert inputs.bias is not None
    layer(inputs.x, inputs.weight, torch.cat([inputs.bias, inputs.bias[:1]]))


def stopped_backward(layer: Layer, inputs: LayerInputs) -> None:
    """What the layer saved for its backward pass can't be brought back, as activations that were moved to the host."""
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, _interrupt):
        out = layer(inputs.x.requires_grad_(), inputs.weight.requires_grad_(), inputs.bias)
    torch.autograd.backward(out, inputs.upstream)


def _interrupt(saved: Tensor) -> Tensor:
    raise _Interrupted


FAILING: tuple[Callable[[Layer, LayerInputs], None], ...] = (
    too_many_features,
    too_long_bias,
    stopped_backward,
)


@check(
    tier="standard",
    fix="A call that failed leaves something behind: a buffer half written, a flag or a mode not put back, an entry in a "
    "cache. Put things back in `finally`, and keep nothing before the call is over.",
)
def test_failed_call(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """After a call that raises, for shapes that do not fit or in the backward pass, the next right call is right."""
    case = exact_case(PROBE)
    layer = bind(backend, case.graph, device)
    comparisons = []
    raised = dict.fromkeys((failing.__name__ for failing in FAILING), "nothing")
    for failing in FAILING:
        try:
            failing(layer, case.inputs.to(device))
        except Exception as error:
            # Whatever it is, and nothing too: what comes after is judged.
            raised[failing.__name__] = type(error).__name__
        comparisons += case.compare(evaluate(layer, case.inputs.to(device)), device)
    evidence.fact("raised", raised)
    judge(evidence, backend, comparisons)
