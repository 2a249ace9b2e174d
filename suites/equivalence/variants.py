"""One check over many variants of a problem: which of them are wrong is what names the fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from gnnbench.checks import Evidence, Inconclusive, NotApplicable, Tier, fail
from gnnbench.graphs import Graph, SelfLoops
from gnnbench.numerics import Comparison, LayerInputs, evaluate
from gnnbench.reference import Backend, compiles

from .cases import Case, bind, precedence
from .roots import settled

#: Labels that a message lists before it says how many more there are.
_LISTED = 8


def thinned(
    cases: Mapping[str, Case], backend: Backend, run_tier: Tier, *, every: int, full: int = 1
) -> dict[str, Case]:
    """All cases; of compiled backends one in `every` before tier full, for each may cost a compilation.

    In tier full one in `full`, and all in soak.
    """
    if slow(backend, run_tier):
        return dict(list(cases.items())[::every])
    return dict(list(cases.items())[:: full if compiles(backend) and run_tier < Tier.SOAK else 1])


def slow(backend: Backend, run_tier: Tier) -> bool:
    """Whether a new form of operands may cost a compilation, and there is no time for many."""
    return compiles(backend) and run_tier < Tier.FULL


class Judging:
    """Goes through variants: says in which of them a backend raised, and passes over those that it refuses."""

    def __init__(self) -> None:
        self.found: dict[str, list[Comparison]] = {}
        self._refused: NotApplicable | None = None

    @contextmanager
    def __call__(self, label: str) -> Iterator[None]:
        try:
            yield
        except NotApplicable as refused:
            self._refused = refused
        except Inconclusive:
            raise
        except Exception as error:
            raise RuntimeError(f"{label}: {type(error).__name__}: {error}") from error

    def end(self) -> dict[str, list[Comparison]]:
        """What was judged; ends the check as not applicable where nothing was."""
        if not self.found and self._refused is not None:
            raise self._refused
        return self.found


def run_cases(
    backend: Backend,
    cases: Mapping[str, Case],
    device: torch.device,
    *,
    self_loops: SelfLoops = "add",
    forms: Mapping[str, Callable[[LayerInputs], LayerInputs]] | None = None,
) -> dict[str, list[Comparison]]:
    """Each case, bound and evaluated anew, against its own oracle.

    `forms` lay the operands of the case of the same name out anew on the device: same numbers, other strides.
    """
    judging = Judging()
    for label, case in cases.items():
        with judging(label):
            inputs = case.inputs.to(device)
            result = evaluate(
                bind(backend, case.graph, device, self_loops), forms[label](inputs) if forms else inputs
            )
            judging.found[label] = case.compare(result, device)
    return judging.end()


def run_graphs(
    backend: Backend, case: Case, graphs: Mapping[str, Graph], device: torch.device
) -> dict[str, list[Comparison]]:
    """Graphs that are all the graph of `case`, told in other words; bound as they are, without a copy."""
    judging = Judging()
    for label, graph in graphs.items():
        with judging(label):
            result = evaluate(bind(backend, graph, device, copy=False), case.inputs.to(device))
            judging.found[label] = case.compare(result, device)
    return judging.end()


def record_worst(
    evidence: Evidence, variants: Mapping[str, Sequence[Comparison]]
) -> dict[str, tuple[str, Comparison]]:
    """Record the worst margin of each quantity; returns which variant it is of, and the comparison."""
    worst: dict[str, tuple[str, Comparison]] = {}
    for label, comparisons in variants.items():
        for one in comparisons:
            if one.name not in worst or one.ratio > worst[one.name][1].ratio:
                worst[one.name] = label, one
    for label, one in worst.values():
        evidence.margin(
            one.name, error=one.error, bound=one.bound, rule=one.rule, where=f"{label}: {one.where}"
        )
    return worst


def judge_variants(
    evidence: Evidence, backend: Backend, variants: Mapping[str, Sequence[Comparison]], *, cause: str = ""
) -> None:
    """Record the worst margin of each quantity over all variants; fail naming those that are wrong.

    `cause` stands in where no variant's own diagnosis says better.
    """
    __tracebackhide__ = True
    evidence.fact("variants", list(variants))
    variants = {label: settled(evidence, backend, of) for label, of in variants.items()}
    worst = record_worst(evidence, variants)
    wrong = [label for label, of in variants.items() if not all(one.passed for one in of)]
    if not wrong:
        return
    evidence.fact("wrong_variants", wrong)
    right = [label for label in variants if label not in wrong]
    label, one = max(worst.values(), key=lambda pair: precedence(pair[1]))
    fail(
        f"{backend.name}: wrong for {_listed(wrong)}; {label}: {one.summary}",
        expected=one.expected + (f" at {one.where}" if one.where else ""),
        found=f"{one.got}; right for {_listed(right)}" if right else f"{one.got}; right for none of them",
        cause=one.cause or (cause if right else ""),
    )


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - _LISTED
    return ", ".join(labels[:_LISTED]) + (f" and {more} more" if more > 0 else "")
