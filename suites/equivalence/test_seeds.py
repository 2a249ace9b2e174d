"""Seeds that seed: trainings and dropout masks that repeat with the seed, and only with it.

What one device draws from a seed is compared with nothing but itself: the same seed gives other numbers on another
model of GPU, whose count of processors decides how a stream is cut (pytorch#194676), and that is no fault.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.graphs import NodeClassification, sized_exact_graph
from gnnbench.graphs.node_classification import row_normalised_csr
from gnnbench.numerics import NoDeterministicImplementation, multiplies_sparse
from gnnbench.reference import Backend, TrainingResult, UnsupportedByBackend, train

from .cases import bind
from .repeats import operands_of, promise, real_case

_EPOCHS = 5


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
                    lambda: bind(backend, task().graph, device)(*operands_of(real_case(), device))
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
