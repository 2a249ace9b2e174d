"""From what pytest saw of one item to its `Result`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path

import pytest

from gnnbench.checks.declaration import CheckSpec
from gnnbench.checks.evidence import Evidence
from gnnbench.checks.outcomes import CheckFailed, Inconclusive, NotApplicable
from gnnbench.checks.requirement import breaks, demanded
from gnnbench.contract import Contract
from gnnbench.record import Finding, Outcome, Result

#: Characters of traceback and captured output kept of one check: the head says where, the tail says what.
LOG_LIMIT = 20_000


class Judgement:
    """Gathers set-up, call and tear-down of one item into one result. Lives in the item's stash."""

    def __init__(
        self, spec: CheckSpec, requirements: Collection[str], contract: Contract | None = None
    ) -> None:
        self.spec = spec
        self.evidence = Evidence()
        self._requirements = requirements
        self._contract = contract
        self._outcome: Outcome | None = None
        self._finding: Finding | None = None
        self._log: list[str] = []
        self._duration = 0.0

    def add_phase(self, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Take in one phase. A failure in any phase stands; a skip stands unless a later phase failed."""
        self._duration += report.duration
        if report.passed:
            if report.when == "call" and self._outcome is None:
                self._outcome = Outcome.PASSED
            return
        exception = None if call.excinfo is None else call.excinfo.value
        outcome, finding = self._judge(exception, report)
        if self._outcome is not Outcome.FAILED:
            self._outcome, self._finding = outcome, finding
        self._log.append(report.longreprtext if report.failed else "")
        self._log.extend(f"--- {title} ---\n{text}" for title, text in report.sections)

    @property
    def unmet_requirement(self) -> Finding | None:
        """The finding, where the check was not applicable and somebody had required what it lacked."""
        return self._finding if self._finding is not None and self._finding.required else None

    def _judge(self, exception: BaseException | None, report: pytest.TestReport) -> tuple[Outcome, Finding]:
        fix = self.spec.fix
        if isinstance(exception, NotApplicable):
            demand = self._demand(exception.finding)
            if demand is not None:
                return Outcome.FAILED, demand
            return Outcome.NOT_APPLICABLE, exception.finding
        if isinstance(exception, (Inconclusive, CheckFailed)):
            finding = dataclasses.replace(exception.finding, fix=exception.finding.fix or fix)
            return (Outcome.INCONCLUSIVE if isinstance(exception, Inconclusive) else Outcome.FAILED), finding
        if report.skipped:
            # A bare skip is somebody's "could not run": never a pass, and not a reasoned "not applicable".
            reason = getattr(report, "wasxfail", "") or str(exception or "skipped without a reason")
            return Outcome.INCONCLUSIVE, Finding(summary=reason, fix=fix)
        where = "" if report.when == "call" else f"in {report.when}: "
        summary = where + _first_line(exception, report)
        if exception is None or isinstance(exception, AssertionError):
            return Outcome.FAILED, Finding(summary=summary, fix=fix)
        # Nothing was compared, so advice on what a difference means would mislead.
        return Outcome.FAILED, Finding(
            summary=summary,
            expected="a result",
            found="an exception",
            cause=f"{_first_line(exception, report)} (raised at {_raised_at(exception)})",
            fix="read the log of this check: it shows the way to where the exception was raised",
        )

    def _demand(self, finding: Finding) -> Finding | None:
        """The finding of a check that is not applicable, where somebody has said that it must be; None: nobody has."""
        broken = dataclasses.replace(
            finding, required=True, found=finding.found or finding.summary, fix=finding.fix or self.spec.fix
        )
        if demanded(finding.needs, self._requirements):
            return dataclasses.replace(
                broken, expected=finding.expected or f"{finding.needs}, which was required"
            )
        if self._contract is None:
            return None
        demands = self._contract.requirements
        asked = breaks(finding.needs, demands)
        if asked is not None:
            return dataclasses.replace(
                broken,
                summary=f"{demands[asked]}: expected {asked}, found none for this check: {finding.summary}",
                expected=finding.expected or f"{asked}, which the contract asks for",
            )
        forbidden = self._contract.forbids(self.spec.id)
        if forbidden is None:
            return None
        check = self.spec.id.partition("/")[2]
        remedy = f'if the image is right, add "{check}" to {forbidden.where}'
        return dataclasses.replace(
            broken,
            summary=f"{forbidden.where}: expected {check} to have something to judge, found {finding.summary}",
            expected=f"{check} among the checks that may be not applicable, or something for it to judge",
            needs=f"contract:{forbidden.key}",
            fix=f"{broken.fix}; {remedy}" if broken.fix else remedy,
        )

    def result(self, item: pytest.Item, worker: str) -> Result:
        """The finished result; to be asked for after tear-down."""
        outcome = self._outcome or Outcome.INCONCLUSIVE
        finding = self._finding
        beyond = next((margin for margin in self.evidence.margins if not margin.passed), None)
        if outcome is Outcome.PASSED and beyond is not None:
            outcome = Outcome.FAILED
            finding = Finding(
                summary=f"{beyond.name} is beyond its bound, and the check did not say so",
                expected=f"an error of at most {beyond.bound:.3g}",
                found=f"{beyond.error:.3g}",
                cause="the check records a margin and forgets to judge it",
                fix=self.spec.fix,
            )
        if self._outcome is None:
            finding = Finding(summary="the check was set up and never called")
        callspec = getattr(item, "callspec", None)
        parameters = {} if callspec is None else callspec.params
        device = parameters.get("device")
        facts = dict(self.evidence.facts)
        if hasattr(parameters.get("backend"), "name"):
            # So that readers need not guess from the id which part of it is the backend.
            facts = {"backend": str(parameters["backend"].name), **facts}
        log = "\n".join(part for part in self._log if part)
        return Result(
            id=self.spec.id,
            suite=self.spec.suite,
            tier=self.spec.tier.label,
            outcome=outcome,
            title=self.spec.title,
            device=self.evidence.device if device is None else str(device),
            duration_s=round(self._duration, 6),
            finding=finding,
            catches=self.spec.catches,
            margins=tuple(self.evidence.margins),
            measurements=tuple(self.evidence.measurements),
            facts=facts,
            log="" if outcome is Outcome.PASSED else shorten(log),
            nodeid=item.nodeid,
            worker=worker,
        )


def shorten(text: str, limit: int = LOG_LIMIT) -> str:
    """`text` with its middle left out where it is longer than `limit` characters, saying how much."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def _raised_at(exception: BaseException) -> str:
    """File and line of the innermost frame: `my_plugin.py:21`."""
    trace = exception.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        "an unknown place"
        if trace is None
        else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    )


def _first_line(exception: BaseException | None, report: pytest.TestReport) -> str:
    if exception is None:
        return report.longreprtext.strip().rpartition("\n")[2] or "failed without a message"
    message = str(exception).strip().partition("\n")[0]
    kind = type(exception).__name__
    return f"{kind}: {message}" if message else kind
