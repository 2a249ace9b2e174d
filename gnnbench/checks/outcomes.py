"""The three ways a check ends other than by passing."""

from __future__ import annotations

import re
from typing import NoReturn

import pytest

from gnnbench.record import Finding


class _Ended(Exception):
    """Carries the finding to the plugin."""

    finding: Finding


class CheckFailed(AssertionError, _Ended):
    """The image, the device or the backend is not right."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(describe(finding))
        self.finding = finding


class Inconclusive(pytest.skip.Exception, _Ended):  # type: ignore[name-defined,misc]  # an attribute
    """The check ran and could not judge. Never counted as passed."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"inconclusive: {finding.summary}")
        self.finding = finding


class NotApplicable(pytest.skip.Exception, _Ended):  # type: ignore[name-defined,misc]  # likewise
    """There is nothing here for the check to judge, and nobody said that there must be."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"not applicable: {finding.summary}")
        self.finding = finding


def fail(summary: str, *, expected: str = "", found: str = "", cause: str = "", fix: str = "") -> NoReturn:
    """End the check as failed, saying what was expected, what was found, why, and what to do."""
    __tracebackhide__ = True
    raise CheckFailed(Finding(summary=summary, expected=expected, found=found, cause=cause, fix=fix))


def unmet(
    summary: str, *, needs: str, expected: str = "", found: str = "", cause: str = "", fix: str = ""
) -> NoReturn:
    """End the check as failed for want of what the user said must be there: exit code 12.

    `needs` names it, as `contract:limits.shm_size`.
    """
    __tracebackhide__ = True
    raise CheckFailed(
        Finding(
            summary=summary,
            expected=expected,
            found=found,
            cause=cause,
            fix=fix,
            needs=needs,
            required=True,
        )
    )


def inconclusive(
    summary: str, *, expected: str = "", found: str = "", cause: str = "", fix: str = ""
) -> NoReturn:
    """End the check as inconclusive: it could not judge, for this reason."""
    __tracebackhide__ = True
    raise Inconclusive(Finding(summary=summary, expected=expected, found=found, cause=cause, fix=fix))


def not_applicable(summary: str, *, needs: str, fix: str = "") -> NoReturn:
    """End the check as not applicable because `needs` is lacking.

    `needs` is what `--require` and contracts may ask for: `cuda`, `cuda:2`, `dataset:Cora`,
    `package:torch_sparse`. Where it was asked for, the plugin turns this outcome into a failure.
    """
    __tracebackhide__ = True
    raise NotApplicable(Finding(summary=summary, needs=needs, fix=fix))


def describe(finding: Finding) -> str:
    """A finding as a few lines of plain text."""
    lines = [finding.summary]
    for label, text in (
        ("expected", finding.expected),
        ("found", finding.found),
        ("likely cause", finding.cause),
        ("what to do", finding.fix),
    ):
        if text:
            lines.append(f"  {label + ':':<13} {text}")
    return "\n".join(lines)


def short_status(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """pytest's (category, letter, word) for our two kinds of skip; None for everything else."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    kind = re.match(r"(?:[\w.]+: )?(inconclusive|not applicable): ", text)
    if not report.skipped or kind is None:
        return None
    word = kind.group(1)
    return word, {"inconclusive": "?", "not applicable": "n"}[word], word.upper()
