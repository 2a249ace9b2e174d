"""One backend on many random graphs: what is kept of them, and how a failure is told."""

from __future__ import annotations

from collections import Counter

import torch

from gnnbench.checks import CheckFailed, Evidence, NotApplicable, fail, inconclusive, not_applicable
from gnnbench.numerics import Comparison, Quantity, RandomLayer, evaluate
from gnnbench.record import COUNTEREXAMPLE
from gnnbench.record.codec import encode
from gnnbench.reference import Backend

from .cases import bind, judge, make_case, precedence


class Wrong(Exception):
    """A graph on which the backend is beyond its bound."""


class RandomSearch:
    """Puts graph after graph through a backend, and keeps the worst of those that passed and the last that
    failed.

    Args:
        backend: whose layers are judged.
        device: where.
        fix: what to do about a failure.
    """

    def __init__(self, backend: Backend, device: torch.device, fix: str) -> None:
        self._backend, self._device, self._fix = backend, device, fix
        self.judged = 0
        self.comparisons = 0
        self.unsupported: Counter[str] = Counter()
        self.worst: dict[Quantity, tuple[Comparison, str]] = {}
        self.failure: tuple[RandomLayer, list[Comparison] | Exception] | None = None

    def attempt(self, layer: RandomLayer) -> bool:
        """Judge one; False where the backend does not serve it.

        Raises `Wrong`, and what the backend raises.
        """
        try:
            comparisons = compared(self._backend, layer, self._device)
        except NotApplicable as unsupported:
            self.unsupported[unsupported.finding.summary] += 1
            return False
        except Exception as error:
            self.failure = layer, error
            raise
        if not all(comparison.passed for comparison in comparisons):
            self.failure = layer, comparisons
            raise Wrong
        self.judged += 1
        self.comparisons += len(comparisons)
        for one in comparisons:
            name: Quantity = one.name  # type: ignore[assignment]  # no other is asked for
            if name not in self.worst or one.ratio > self.worst[name][0].ratio:
                self.worst[name] = one, str(layer)
        return True

    def conclude(self, evidence: Evidence, error: Exception | None) -> None:
        """Record what was seen, and end the check unless it passed.

        Args:
            evidence: of the check.
            error: what the search ended with: None where nothing failed.
        """
        __tracebackhide__ = True
        unsupported = dict(self.unsupported.most_common(5))
        evidence.fact(
            "graphs", {"judged": self.judged, "compared": self.comparisons, "unsupported": unsupported}
        )
        if error is not None and self.failure is None:
            raise error
        if self.failure is not None:
            flaky = not isinstance(error, Wrong) and not isinstance(self.failure[1], Exception)
            tell_failure(evidence, self._backend, self._device, *self.failure, self._fix, flaky=flaky)
        if not self.judged:
            reason = next(iter(unsupported), "no graph was drawn")
            not_applicable(
                f"{self._backend.name} serves none of the random graphs: {reason}",
                needs=f"backend:{self._backend.name}",
            )
        evidence.fact("worst graphs", {name: graph for name, (_, graph) in self.worst.items()})
        judge(evidence, self._backend, [comparison for comparison, _ in self.worst.values()])


def compared(backend: Backend, layer: RandomLayer, device: torch.device) -> list[Comparison]:
    """All quantities of one layer against the oracle; raises `NotApplicable` where the backend refuses it."""
    bound = bind(backend, layer.graph, device, layer.self_loops)
    case = make_case(layer.graph, layer.inputs, exact=False, self_loops=layer.self_loops)
    return case.compare(evaluate(bound, layer.inputs.to(device)), device)


def replayed(
    evidence: Evidence, backend: Backend, device: torch.device, layer: RandomLayer, fix: str
) -> None:
    """Judge one recorded layer again: as failed, as passed, or as inconclusive where it is refused now."""
    __tracebackhide__ = True
    try:
        found = compared(backend, layer, device)
    except NotApplicable as unsupported:
        inconclusive(
            f"{backend.name} refuses the graph now: {unsupported.finding.summary}",
            fix="see whether the backend was meant to refuse it",
        )
    except Exception as error:
        tell_failure(evidence, backend, device, layer, error, fix)
    worst = max(found, key=precedence)
    evidence.fact(
        "worst",
        {
            "quantity": worst.name,
            "where": worst.where,
            "expected": worst.expected,
            "got": worst.got,
            "error": f"{worst.error:.3g}",
            "bound": f"{worst.bound:.3g}",
        },
    )
    if worst.passed:
        judge(evidence, backend, found)
    else:
        tell_failure(evidence, backend, device, layer, found, fix)


def tell_failure(
    evidence: Evidence,
    backend: Backend,
    device: torch.device,
    layer: RandomLayer,
    found: list[Comparison] | Exception,
    fix: str,
    *,
    flaky: bool = False,
) -> None:
    """Record the graph, and end the check as failed on it."""
    __tracebackhide__ = True
    evidence.fact(COUNTEREXAMPLE, encode(layer.recorded(backend=backend.name, device=device)))
    again = "; given once more, the same graph passed, so that the answer is not repeatable" if flaky else ""
    if isinstance(found, Exception):
        message = str(found).strip().partition("\n")[0]
        try:
            fail(
                f"{backend.name}: {type(found).__name__}: {message}, on {layer}",
                expected="a result",
                found="an exception",
                cause=f"{type(found).__name__}: {message}",
                fix=fix,
            )
        except CheckFailed as failed:
            raise failed from found  # whose traceback says where in the backend
    judge(evidence, backend, found, on=f"; on {layer}{again}", fix=fix)
    inconclusive(
        f"{backend.name}: a failure was heard of, and every comparison is within its bound, on {layer}"
    )
