"""The conditions under which a layer is called, any three of which meet in some row, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from gnnbench.checks import NotApplicable
from gnnbench.graphs import EXACT_SHAPES, EXACT_WEIGHTS, SelfLoops, shaped_exact_graph
from gnnbench.numerics import (
    GRADIENTS,
    Comparison,
    Condition,
    LayerInputs,
    LayerResult,
    Quantity,
    covering_array,
    evaluate,
    exact_inputs,
)
from gnnbench.reference import Backend, Layer

from .cases import Case, bind, make_case
from .test_operands import column_major, window
from .test_shapes import every_other, one_number, one_row
from .test_use import inferred

#: Factor → the condition that it is under. Written as failures name it: "wrong where no bias, F < C".
Conditions = Mapping[str, str]


def as_it_is(tensor: Tensor) -> Tensor:
    """Contiguous, as fresh operands are."""
    return tensor


#: Gradients that are asked for; None where gradients are off, in the mode that the condition is called by.
_CALLS: dict[str, tuple[Quantity, ...] | None] = {
    "all gradients": GRADIENTS,
    "dX and dW": ("dX", "dW"),
    "no_grad": None,
    "inference_mode": None,
    "no gradient asked for": (),
    "dX alone": ("dX",),
    "dW alone": ("dW",),
    "db alone": ("db",),
    "dX and db": ("dX", "db"),
    "dW and db": ("dW", "db"),
}
_LAYOUTS = {layout.__name__: layout for layout in (column_major, window, every_other)}
_OF_X = {"x contiguous": as_it_is, **{f"x {name}": of for name, of in _LAYOUTS.items()}, "x one_row": one_row}
_OF_W = {"W contiguous": as_it_is, **{f"W {name}": of for name, of in _LAYOUTS.items()}}
_OF_G = {
    "G contiguous": as_it_is,
    **{f"G {name}": of for name, of in _LAYOUTS.items()},
    "G one_number": one_number,
    "no G": as_it_is,
}
_BIASES: dict[str, Callable[[Tensor], Tensor | None]] = {
    "a bias": as_it_is,
    "no bias": lambda _: None,
    "b as a column": lambda bias: every_other(bias[:, None])[:, 0],
}
_WIDTHS = {
    "F > C": (6, 4),
    "F = C": (5, 5),
    "F < C": (4, 6),
    "F > C > 32": (40, 36),
    "C > F > 32": (36, 40),
}
_LOOPS: dict[str, SelfLoops] = {
    "self_loops 'add'": "add",
    "self_loops 'add_remaining'": "add_remaining",
    "self_loops 'none'": "none",
}

#: Each with its plainest level first.
FACTORS: dict[str, tuple[str, ...]] = {
    "call": tuple(_CALLS),
    "x": tuple(_OF_X),
    "W": tuple(_OF_W),
    "G": tuple(_OF_G),
    "bias": tuple(_BIASES),
    "widths": tuple(_WIDTHS),
    "self_loops": tuple(_LOOPS),
    "weights": EXACT_WEIGHTS,
    "graph": EXACT_SHAPES,
}

#: What a graph is normalised by, and the operand that it meets: all four together, also where triples would do.
TOGETHER = (("self_loops", "weights", "graph", "x"),)

PLAIN: Conditions = {factor: levels[0] for factor, levels in FACTORS.items()}

#: What is made plain where a backend refuses a graph, for the other conditions of a row are judged all the same.
_FEWER = (
    (),
    ("graph",),
    ("weights",),
    ("self_loops",),
    ("graph", "weights"),
    ("graph", "weights", "self_loops"),
)


def excludes(one: Condition, other: Condition) -> bool:
    """G is used where some gradient is asked for, and nowhere else; without a bias there is no db."""
    call, condition = _CALLS.get(one[1]), other[1]
    if other[0] == "G" and one[0] == "call":
        return (condition == "no G") == bool(call)
    return other[0] == "bias" and one[0] == "call" and condition == "no bias" and "db" in (call or ())


@cache
def combinations(strength: int) -> tuple[Conditions, ...]:
    """Rows in which any `strength` conditions meet; beside triples, `TOGETHER`."""
    together = TOGETHER if strength == 3 else ()
    return covering_array(FACTORS, strength, together=together, excludes=excludes)


@dataclass(frozen=True, slots=True)
class Problem:
    """A case laid out, and what is judged of it."""

    case: Case
    layout: Callable[[LayerInputs], LayerInputs]
    quantities: tuple[Quantity, ...]


def problem(conditions: Conditions) -> Problem:
    """What `conditions` mean; the case is made once a process."""

    def layout(inputs: LayerInputs) -> LayerInputs:
        return replace(
            inputs,
            x=_OF_X[conditions["x"]](inputs.x),
            weight=_OF_W[conditions["W"]](inputs.weight),
            bias=None if inputs.bias is None else _BIASES[conditions["bias"]](inputs.bias),
            upstream=_OF_G[conditions["G"]](inputs.upstream),
        )

    case = _case(
        *(conditions[factor] for factor in ("widths", "self_loops", "weights", "graph")),
        bias=conditions["bias"] != "no bias",
        # Layouts that leave one number of many change what the answer is.
        rows=conditions["x"] != "x one_row",
        numbers=conditions["G"] != "G one_number",
    )
    asked = _CALLS[conditions["call"]] or ()
    return Problem(case, layout, ("forward", *asked))


@cache
def _case(
    widths: str, loops: str, weights: str, shape: str, *, bias: bool, rows: bool, numbers: bool
) -> Case:
    graph = shaped_exact_graph(shape, weights, _LOOPS[loops])
    inputs = exact_inputs(graph.num_nodes, *_WIDTHS[widths], bias=bias)
    if not rows:
        inputs = replace(inputs, x=one_row(inputs.x).contiguous())
    if not numbers:
        inputs = replace(inputs, upstream=one_number(inputs.upstream).contiguous())
    return make_case(graph, inputs, exact=True, self_loops=_LOOPS[loops])


def judged(backend: Backend, conditions: Conditions, device: torch.device) -> list[Comparison]:
    """The layer under `conditions` against the oracle, nothing where torch refuses to infer with what it keeps.

    Raises `NotApplicable` where the backend does not serve the graph, and what the backend raises.
    """
    asked = problem(conditions)
    layer = bind(backend, asked.case.graph, device, _LOOPS[conditions["self_loops"]])
    inputs = asked.layout(asked.case.inputs.to(device))
    if _CALLS[conditions["call"]] is not None:
        result = evaluate(layer, inputs, gradients=asked.quantities)
    else:
        out = _inferred(layer, inputs, conditions["call"])
        if out is None:
            return []
        result = LayerResult(forward=out)
    return asked.case.compare(result, device, asked.quantities)


def _inferred(layer: Layer, inputs: LayerInputs, mode: str) -> Tensor | None:
    """With parameters that require gradients, as those of a trained model do."""
    bias = None if inputs.bias is None else inputs.bias.requires_grad_()
    return inferred(
        layer, replace(inputs, weight=inputs.weight.requires_grad_(), bias=bias), getattr(torch, mode)
    )


def judged_where_served(
    backend: Backend, conditions: Conditions, device: torch.device
) -> tuple[Conditions, list[Comparison]]:
    """`judged`, with a plainer graph where the backend refuses theirs; and under which conditions that was.

    Raises `NotApplicable` where it refuses the plainest too.
    """
    refused: NotApplicable | None = None
    for factors in _FEWER:
        fewer = {**conditions, **{factor: PLAIN[factor] for factor in factors}}
        try:
            return fewer, judged(backend, fewer, device)
        except NotApplicable as refusal:
            refused = refused or refusal
    assert refused is not None
    raise refused


def needed(conditions: Conditions, fails: Callable[[Conditions], bool]) -> Conditions:
    """Those of the `conditions` of a failure without which it does not fail.

    Conditions are made plain one after the other for as long as it still fails (Zeller & Hildebrandt, IEEE Trans.
    Softw. Eng. 28, 2002, with one condition at a time). Needed are those that are left, and of the plain ones those
    that no other level can stand for.
    """
    least = dict(conditions)
    for factor in FACTORS:
        plainer = _with(least, factor, _plainest(least, factor))
        if plainer != least and fails(plainer):
            least = plainer
    return {
        factor: level
        for factor, level in least.items()
        if level != "no G" and not any(map(fails, _otherwise(least, factor)))
    }


def _plainest(conditions: dict[str, str], factor: str) -> str:
    """The first level of a factor; of calls the first that goes with the bias there is, or that there is not."""
    if factor != "call":
        return PLAIN[factor]
    return next(call for call in FACTORS["call"] if possible({**conditions, "call": call}, ("bias",)))


def _otherwise(conditions: dict[str, str], factor: str) -> Iterator[Conditions]:
    """With the plainest level of one factor; with each other level, where that is what it has."""
    plainest = _plainest(conditions, factor)
    levels = FACTORS[factor] if conditions[factor] == plainest else (plainest,)
    for level in levels:
        if level != conditions[factor]:
            yield _with(conditions, factor, level)


def _with(conditions: dict[str, str], factor: str, level: str) -> dict[str, str]:
    """With another level of one factor, and the plainest that fits of what would be excluded by it."""
    changed = {**conditions, factor: level}
    for partner in ("bias", "G") if factor == "call" else ("call",):
        beside = (partner,) if factor == "call" else ("bias", "G")
        changed[partner] = next(
            fitting
            for fitting in (changed[partner], *FACTORS[partner])
            if possible({**changed, partner: fitting}, beside)
        )
    return changed


def possible(conditions: Conditions, beside: tuple[str, ...] = ("bias", "G")) -> bool:
    """Whether the call can go with what there is of the factors `beside` it."""
    call = ("call", conditions["call"])
    return not any(excludes(call, (factor, conditions[factor])) for factor in beside)
