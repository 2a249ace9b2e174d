"""What the checks that ask twice share: the question, how often it is put, and what is promised about the answer."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor

from gnnbench.checks import Tier, fail
from gnnbench.graphs import sized_exact_graph
from gnnbench.numerics import (
    QUANTITIES,
    Disagreement,
    LayerResult,
    deterministic_algorithms,
    differing_bits,
    real_inputs,
)
from gnnbench.reference import Backend, compiles

from .cases import Case, make_case

#: How often a layer is asked again. What is wrong in one call of twenty is met two times of three in standard,
#: and always but for 7 in a million millions in full.
REPETITIONS = {Tier.SMOKE: 3, Tier.STANDARD: 20, Tier.FULL: 500, Tier.SOAK: 5_000}


@cache
def real_case() -> Case:
    """Real numbers, whose sums depend on their order: rows of up to 64 edges."""
    graph = sized_exact_graph(400)
    return make_case(graph, real_inputs(graph.num_nodes), exact=False)


def promise(backend: Backend, device: torch.device) -> AbstractContextManager[None]:
    """Where bits are promised to repeat: by themselves on one thread of a CPU, else by torch's switch.

    Compiled kernels run on as many threads as there are.
    """
    return nullcontext() if device.type == "cpu" and not compiles(backend) else deterministic_algorithms()


def disagreement(found: LayerResult, first: LayerResult) -> Disagreement | None:
    """The first quantity whose bits differ."""
    for name in QUANTITIES:
        got, expected = getattr(found, name), getattr(first, name)
        if got is not None and expected is not None:
            differing = differing_bits(name, got, expected)
            if differing is not None:
                return differing
    return None


def judge_form(backend: Backend, case: Case, found: LayerResult, device: torch.device) -> None:
    """Fail where a quantity is missing or has another form: nothing can be compared then."""
    __tracebackhide__ = True
    wrong = [one for one in case.compare(found, device) if one.rule == "form"]
    if wrong:
        fail(f"{backend.name}: {wrong[0].summary}", expected=wrong[0].expected, found=wrong[0].got)


def operands_of(case: Case, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
    """Fresh copies on the device, to call a layer with."""
    inputs = case.inputs.to(device)
    return inputs.x, inputs.weight, inputs.bias
