"""gnnbench.record.verdict: one answer for terminal, report and exit code."""

from dataclasses import replace

import pytest

from gnnbench.record import ExitCode, Finding, Margin, Measurement, Outcome, Result, Run, RunState, verdict

P, F, I, N = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.NOT_APPLICABLE  # noqa: E741


def run_with(*outcomes, state=RunState.COMPLETE, required=False, **more):
    results = tuple(
        Result(
            id=f"s/f/{n}",
            suite="s",
            tier="smoke",
            outcome=outcome,
            finding=None
            if outcome is P
            else Finding(summary="why", needs="cuda", required=required and outcome is F),
        )
        for n, outcome in enumerate(outcomes)
    )
    return Run(id="r", state=state, started_at="t", results=results, collected=len(results), **more)


@pytest.mark.parametrize(
    ("run", "code", "words"),
    [
        (run_with(P, P), ExitCode.GOOD, "GOOD: 2 checks passed"),
        (run_with(P, N), ExitCode.GOOD, "GOOD: 1 check passed"),
        (run_with(P, F), ExitCode.CHECK_FAILED, "NOT GOOD: 1 of 2 checks failed"),
        (run_with(F, I), ExitCode.CHECK_FAILED, "1 could not judge"),
        (run_with(P, I), ExitCode.INCONCLUSIVE, "INCONCLUSIVE: 1 check could not judge; 1 passed"),
        (run_with(N, N), ExitCode.INCONCLUSIVE, "no check applied here"),
        (run_with(), ExitCode.NO_CHECKS, "NOTHING JUDGED"),
        (run_with(P, F, required=True), ExitCode.CONTRACT_UNMET, "required but absent: cuda (1 check)"),
        (run_with(P, state=RunState.INTERRUPTED), ExitCode.INTERRUPTED, "INTERRUPTED"),
        (run_with(P, unfinished=("s/f/9",)), ExitCode.INTERRUPTED, "INCOMPLETE"),
        (replace(run_with(P), collected=5), ExitCode.INTERRUPTED, "INCOMPLETE: 1 of 5 checks judged"),
        (run_with(P, state=RunState.RUNNING), ExitCode.INTERRUPTED, "STILL RUNNING, or killed"),
        (run_with(P, state=RunState.CRASHED), ExitCode.INTERNAL_ERROR, "CRASHED"),
        (run_with(F, state=RunState.CRASHED, exit_code=1), ExitCode.CHECK_FAILED, "1 failed"),
        (run_with(P, state=RunState.INTERRUPTED, exit_code=0), ExitCode.INTERRUPTED, "INTERRUPTED"),
    ],
)
def test_verdicts(run, code, words):
    """Each mixture of outcomes has one exit code and a headline that starts with the answer."""
    judged = verdict(run)

    assert judged.exit_code is code
    assert words in judged.headline
    assert judged.good is (code is ExitCode.GOOD)


def test_a_contract_that_is_not_met_is_named_by_its_keys():
    """Five of them, how many more, and what was required besides."""
    run = run_with(*[F] * 8, required=True)
    needs = ["cuda", *(f"contract:packages.p{n}" for n in range(7))]
    results = tuple(
        replace(result, finding=replace(result.finding, needs=need))
        for result, need in zip(run.results, needs, strict=True)
    )
    judged = verdict(replace(run, results=results))

    assert judged.exit_code is ExitCode.CONTRACT_UNMET
    assert judged.headline == (
        "NOT GOOD: contract not met: packages.p0, packages.p1, packages.p2, packages.p3, packages.p4 and 2 more "
        "(7 checks); required but absent: cuda (1 check)"
    )


def test_unmet_requirements_come_first():
    """What is worst is what a person reads first: unmet, failed, inconclusive."""
    unmet = run_with(F, required=True).results
    run = Run(
        id="r",
        state=RunState.COMPLETE,
        started_at="t",
        results=(*run_with(I, F, P).results, *unmet),
        collected=4,
    )

    assert [r.outcome for r in verdict(run).findings] == [F, F, I]
    assert verdict(run).findings[0].finding.required


@pytest.mark.parametrize(
    ("error", "bound", "ratio"),
    [
        (1, 2, 0.5),
        (0, 0, 0),
        (1, 0, float("inf")),
        (float("nan"), 1, float("inf")),
        (1, float("nan"), float("inf")),
    ],
)
def test_margin_ratio(error, bound, ratio):
    """Unequal where equality was due, and NaN on either side, are infinitely far beyond the bound."""
    margin = Margin(name="m", error=error, bound=bound)

    assert margin.ratio == ratio
    assert margin.passed is (ratio <= 1)


def measurement(*samples, **params):
    return Measurement(
        name="t", unit="s", direction="lower", samples=samples, device="cpu", workload="w", params=params
    )


def test_measurement_statistics_come_from_the_samples():
    """Median and quartiles are computed when asked for."""
    assert measurement(4.0, 1.0, 3.0, 2.0).median == 2.5
    assert measurement(4.0, 1.0, 3.0, 2.0, 5.0).quartiles == (2.0, 4.0)
    assert measurement(7.0).quartiles == (7.0, 7.0)


def test_measurement_key_ignores_the_order_of_parameters():
    """Two measurements compare by what ran, not by how the parameters were written."""
    assert measurement(1.0, a=1, b=2).key == measurement(9.0, b=2, a=1).key
    assert measurement(1.0, a=1).key != measurement(1.0, a=2).key


@pytest.mark.parametrize("samples", [(), (float("nan"),), (1.0, float("inf"))])
def test_measurement_refuses_nonsense(samples):
    """No samples, or samples that are no numbers, are refused where they are taken."""
    with pytest.raises(ValueError, match="expected"):
        measurement(*samples)
