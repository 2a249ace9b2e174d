"""What a run amounts to: the exit code, the headline, and what to look at first."""

from __future__ import annotations

from dataclasses import dataclass

from gnnbench.record.outcome import ExitCode, Outcome, RunState
from gnnbench.record.result import Result
from gnnbench.record.run import Run


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to "is it good?", the same in terminal, report, summary and exit code."""

    exit_code: ExitCode
    headline: str
    """One sentence that starts with the answer."""
    findings: tuple[Result, ...]
    """Checks that failed or could not judge, worst first: unmet requirements, failures, inconclusive."""

    @property
    def good(self) -> bool:
        """Whether everything that had to be judged was, and was found right."""
        return self.exit_code is ExitCode.GOOD


def verdict(run: Run) -> Verdict:
    """Judge a finished, interrupted or still running run from its results alone."""
    failed = run.with_outcome(Outcome.FAILED)
    unmet = tuple(r for r in failed if r.finding is not None and r.finding.required)
    plain = tuple(r for r in failed if r not in unmet)
    unclear = run.with_outcome(Outcome.INCONCLUSIVE)
    findings = (*unmet, *plain, *unclear)
    judged = sum(result.judged for result in run.results)
    if run.state is not RunState.COMPLETE or run.unfinished or run.collected > len(run.results):
        return _ended_early(run, findings, judged)
    if unmet:
        also = f"; {_checks(len(plain))} failed besides" if plain else ""
        return Verdict(ExitCode.CONTRACT_UNMET, f"NOT GOOD: {_unmet(unmet)}{also}", findings)
    if plain:
        also = f", {len(unclear)} could not judge" if unclear else ""
        return Verdict(
            ExitCode.CHECK_FAILED, f"NOT GOOD: {len(plain)} of {_checks(judged)} failed{also}", findings
        )
    if not run.results:
        return Verdict(ExitCode.NO_CHECKS, f"NOTHING JUDGED: {_nothing(run)}", findings)
    if unclear or not judged:
        reason = f"{_checks(len(unclear))} could not judge" if unclear else "no check applied here"
        return Verdict(
            ExitCode.INCONCLUSIVE, f"INCONCLUSIVE: {reason}; {judged} passed, none failed", findings
        )
    return Verdict(ExitCode.GOOD, f"GOOD: {_checks(judged)} passed, none failed", findings)


#: Keys of a contract that a headline names.
_NAMED = 5


def _unmet(results: tuple[Result, ...]) -> str:
    """What a contract asks for and does not find, and what was required and is absent."""
    needs = [(r.finding.needs if r.finding is not None else "") for r in results]
    keys = [need.removeprefix("contract:") for need in needs if need.startswith("contract:")]
    absent = [need for need in needs if not need.startswith("contract:")]
    said = []
    if keys:
        each = list(dict.fromkeys(keys))
        more = f" and {len(each) - _NAMED} more" if len(each) > _NAMED else ""
        said.append(f"contract not met: {', '.join(each[:_NAMED])}{more} ({_checks(len(keys))})")
    if absent:
        lacking = ", ".join(dict.fromkeys(filter(None, absent)))
        said.append(f"required but absent: {lacking} ({_checks(len(absent))})")
    return "; ".join(said)


def _nothing(run: Run) -> str:
    asked = run.invocation
    if asked.keyword:
        return f"no check of tier {asked.tier} matches -k {asked.keyword}"
    return "the selection left no check to run"


def _ended_early(run: Run, findings: tuple[Result, ...], judged: int) -> Verdict:
    code = ExitCode(run.exit_code) if run.exit_code in set(ExitCode) else None
    words = {
        RunState.RUNNING: "STILL RUNNING, or killed",
        RunState.INTERRUPTED: "INTERRUPTED",
        RunState.CRASHED: "CRASHED",
        RunState.COMPLETE: "INCOMPLETE",
    }[run.state]
    fallback = ExitCode.INTERNAL_ERROR if run.state is RunState.CRASHED else ExitCode.INTERRUPTED
    why = f" by {run.ended_by}" if run.ended_by else ""
    failed = sum(result.outcome is Outcome.FAILED for result in findings)
    return Verdict(
        code if code not in (None, ExitCode.GOOD) else fallback,
        f"{words}{why}: {judged} of {_checks(run.collected)} judged, {failed} failed",
        findings,
    )


def _checks(count: int) -> str:
    return f"{count} check" if count == 1 else f"{count} checks"
