"""The same again: bit for bit where torch promises it, within the bound where not, and seeds that seed.

What one device draws from a seed is compared with nothing but itself: the same seed gives other numbers on another
model of GPU, whose count of processors decides how a stream is cut (pytorch#194676), and that is no fault.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from gnnbench.checks import Evidence, Tier, check, fail, not_applicable
from gnnbench.graphs import NodeClassification, sized_exact_graph
from gnnbench.graphs.node_classification import row_normalised_csr
from gnnbench.numerics import (
    QUANTITIES,
    Disagreement,
    LayerResult,
    NoDeterministicImplementation,
    Spread,
    deterministic_algorithms,
    differing_bits,
    evaluate,
    multiplies_sparse,
    real_inputs,
)
from gnnbench.numerics.layer import entry_name
from gnnbench.reference import Backend, TrainingResult, UnsupportedByBackend, train

from .cases import Case, bind, judge, make_case

#: How often a layer is asked again. What is wrong in one call of twenty is met two times of three in standard,
#: and always but for 7 in a million millions in full.
REPETITIONS = {Tier.SMOKE: 3, Tier.STANDARD: 20, Tier.FULL: 500, Tier.SOAK: 5_000}

_EPOCHS = 5


@cache
def real_case() -> Case:
    """Real numbers, whose sums depend on their order: rows of up to 64 edges."""
    graph = sized_exact_graph(400)
    return make_case(graph, real_inputs(graph.num_nodes), exact=False)


def promise(backend: Backend, device: torch.device) -> AbstractContextManager[None]:
    """Where bits are promised to repeat: by themselves on one thread of a CPU, else by torch's switch.

    Compiled kernels run on as many threads as there are.
    """
    compiled = getattr(backend, "tier", "smoke") != "smoke"
    return nullcontext() if device.type == "cpu" and not compiled else deterministic_algorithms()


@check(
    catches=("F12",),
    fix="Something in the layer depends on more than its operands: atomics, uninitialised memory, a race, or "
    "state kept from call to call.",
)
def test_same_bits(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """Where torch promises it, the same operands give the same bits in forward, dX, dW and db."""
    case = real_case()
    repetitions = REPETITIONS[run_tier]
    evidence.fact("repetitions", repetitions)
    try:
        with promise(backend, device):
            layer = bind(backend, case.graph, device)
            inputs = case.inputs.to(device)
            first = evaluate(layer, inputs)
            differing = [
                found
                for _ in range(repetitions)
                if (found := disagreement(evaluate(layer, inputs), first)) is not None
            ]
            sparse = (
                bool(differing)
                and device.type == "cuda"
                and multiplies_sparse(lambda: layer(*_operands(case, device)))
            )
    except NoDeterministicImplementation as reason:
        not_applicable(f"{backend.name}: {reason}", needs=f"backend:{backend.name}")
    evidence.fact("differing", len(differing))
    if sparse:
        not_applicable(
            f"{backend.name}: {len(differing)} of {repetitions} repetitions differ, in a sparse product, for which "
            "neither torch nor cuSPARSE promises the same bits",
            needs=f"backend:{backend.name}",
        )
    if differing:
        fail(
            f"{backend.name}: {len(differing)} of {repetitions} repetitions give other bits for the same operands",
            expected="the same bits every time",
            found=differing[0].summary,
            cause="a sum whose order changes from call to call, or memory that nobody wrote to",
        )
    # Under torch's switch other kernels run than those that the rest of the suite judges.
    judge(evidence, backend, case.compare(first, device))


@check(
    tier="standard",
    catches=("F12", "F41"),
    fix="The results of one and the same call lie further apart than rounding explains: this is no matter of the "
    "order of a sum. Look for races and for memory errors (`nvidia-smi -q -d ECC`).",
)
def test_spread(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """Where bits are not promised, results of the same call lie within twice the bound of each other."""
    case = real_case()
    layer = bind(backend, case.graph, device)
    inputs = case.inputs.to(device)
    spreads = {name: Spread() for name in QUANTITIES}
    first: LayerResult | None = None
    differing = 0
    for _ in range(REPETITIONS[run_tier]):
        found = evaluate(layer, inputs)
        judge_form(backend, case, found, device)
        first = first or found
        differing += disagreement(found, first) is not None
        for name, spread in spreads.items():
            spread.add(getattr(found, name))
    evidence.fact("repetitions", REPETITIONS[run_tier])
    evidence.fact("differing", differing)
    assert case.bounds is not None
    for name, spread in spreads.items():
        error, bound, index = spread.worst(case.bounds[name])
        where = entry_name(name, index)
        margin = evidence.margin(
            name, error=error, bound=2 * bound, rule="run to run, twice the componentwise bound", where=where
        )
        if device.type != "cpu" or differing:
            evidence.measure(
                "run_to_run_spread",
                error / bound if bound else 0.0,
                unit="ratio",
                direction="lower",
                device=str(device),
                workload="gcn-layer-repeated",
                backend=backend.name,
                quantity=name,
            )
        if not margin.passed:
            fail(
                f"{backend.name}: {name} of one call and of the same call again are further apart than two right "
                "answers can be",
                expected=f"within {2 * bound:.3g} at {where}",
                found=f"{error:.3g} apart, over {REPETITIONS[run_tier]} repetitions",
            )


@check(
    tier="standard",
    catches=("F13", "F50"),
    fix="Look for random numbers from a generator that torch.manual_seed does not reach, and for sums by atomics.",
)
def test_training(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Two trainings with one seed have the same losses, gradients and accuracy, to the bit; another seed others."""

    def trained(seed: int) -> TrainingResult:
        # Dense features, or every backend would be asked for a sparse product besides its own.
        return train(
            task(), backend=backend, device=device, seed=seed, epochs=_EPOCHS, hidden=8, sparse_features=False
        )

    try:
        with promise(backend, device):
            one, again, other = trained(0), trained(0), trained(1)
            sparse = (
                one.losses != again.losses
                and device.type == "cuda"
                and multiplies_sparse(
                    lambda: bind(backend, task().graph, device)(*_operands(real_case(), device))
                )
            )
    except NoDeterministicImplementation as reason:
        not_applicable(f"{backend.name}: {reason}", needs=f"backend:{backend.name}")
    except UnsupportedByBackend as reason:
        not_applicable(str(reason), needs=f"backend:{backend.name}")
    evidence.fact("losses", list(one.losses))
    evidence.fact("losses_again", list(again.losses))
    if sparse:
        not_applicable(
            f"{backend.name}: two trainings differ, and run a sparse product, for which neither torch nor cuSPARSE "
            "promises the same bits",
            needs=f"backend:{backend.name}",
        )
    step = next((i for i in range(_EPOCHS) if one.losses[i] != again.losses[i]), None)
    if step is not None:
        fail(
            f"{backend.name}: two trainings with the same seed part in step {step + 1}",
            expected=f"a loss of {one.losses[step]!r}",
            found=f"{again.losses[step]!r}",
            cause="dropout that reseeding does not reset"
            if step == 0
            else "a step that is not the same twice: an unordered sum, or dropout",
        )
    unlike = [
        name
        for name, gradient in one.first_gradients.items()
        if not torch.equal(gradient, again.first_gradients[name])
    ]
    if unlike or (one.test_accuracy, one.val_accuracy) != (again.test_accuracy, again.val_accuracy):
        fail(
            f"{backend.name}: two trainings with the same seed and losses differ in "
            f"{', '.join(unlike) or 'their accuracy'}",
            expected="the same bits",
            found=f"accuracies {one.test_accuracy} and {again.test_accuracy}; other gradients of {unlike}",
        )
    if one.losses == other.losses:
        fail(
            f"{backend.name}: another seed gives the same training",
            expected="other losses",
            found=f"{list(other.losses)}",
            cause="a seed that is not used, or dropout that does nothing",
        )


@check(
    catches=("F50",),
    fix="Dropout draws from a generator that torch.manual_seed does not reach, or that is not the device's.",
)
def test_dropout(device: torch.device, evidence: Evidence) -> None:
    """Reseeding repeats dropout's masks, and so does putting its generator's state back; going on does not."""

    def mask() -> Tensor:
        return functional.dropout(torch.ones(64, 33, device=device), 0.5)

    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(7)
        first, second = mask(), mask()
        torch.manual_seed(7)
        again = mask()
        state = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
        after = mask()
        if device.type == "cuda":
            torch.cuda.set_rng_state(state, device)
        else:
            torch.set_rng_state(state)
        restored = mask()
        torch.manual_seed(8)
        other = mask()
    rate = float((first == 0).double().mean())
    evidence.fact("dropped", rate)
    problems = {
        "reseeding gives another mask": not torch.equal(first, again),
        "reseeding repeats the first mask and not the second": not torch.equal(second, after),
        "a generator put back to its state gives another mask": not torch.equal(after, restored),
        "two masks in a row are the same": torch.equal(first, second),
        "another seed gives the same mask": torch.equal(first, other),
    }
    wrong = [problem for problem, holds in problems.items() if holds]
    if wrong:
        fail(
            f"dropout on {device}: {'; '.join(wrong)}",
            expected="masks that follow the seed",
            found=f"{len(wrong)} of {len(problems)} relations broken",
            cause="a generator of its own, seeded once"
            if len(wrong) < 4
            else "a generator that stands still",
        )


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


def _operands(case: Case, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
    inputs = case.inputs.to(device)
    return inputs.x, inputs.weight, inputs.bias


@cache
def task() -> NodeClassification:
    """A small task, enough for dropout and three classes."""
    nodes, words, classes = 400, 24, 3
    generator = torch.Generator().manual_seed(0)
    features = row_normalised_csr((torch.rand(nodes, words, generator=generator) < 0.25).float())
    labels = torch.randint(classes, (nodes,), generator=generator)
    part = torch.arange(nodes) % 4
    return NodeClassification(
        "determinism", sized_exact_graph(nodes), features, labels, part == 0, part == 1, part > 1, classes
    )
