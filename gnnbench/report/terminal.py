"""The short verdict for a terminal: what was judged, what failed, why, what to do, where the report lies."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gnnbench.record import Outcome, Run, verdict
from gnnbench.report.findings import Group, command_alone, failures
from gnnbench.report.headline import ANSWER, advice, machine, reasons, tone
from gnnbench.report.margins import margins_of
from gnnbench.report.page import suites_of, unjudged_groups
from gnnbench.report.quantity import duration
from gnnbench.report.text import clip, one_line, plural

#: Findings told in full; the report has the rest.
MAX_FINDINGS = 2

_COLORS = {
    Outcome.PASSED: "\x1b[32m",
    Outcome.FAILED: "\x1b[31m",
    Outcome.INCONCLUSIVE: "\x1b[33m",
    Outcome.NOT_APPLICABLE: "\x1b[2m",
}
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_LABEL = 14

_Paint = Callable[[str, str], str]


def terminal_verdict(
    run: Run, report: str | os.PathLike[str] | None = None, *, color: bool = False, width: int = 100
) -> str:
    """The verdict as lines of text, without a last newline.

    Args:
        run: finished or not.
        report: the page, or the folder of `report.html`; None where there is none.
        color: whether to use terminal colours: the caller knows the terminal, `NO_COLOR` and `FORCE_COLOR`.
        width: of the terminal, in characters.
    """
    paint = partial(_paint, color=color)
    judged = verdict(run)
    head = one_line(judged.headline)
    bold = ANSWER.match(head)
    length = bold.end() if bold else len(head)
    head = paint(head[:length], _BOLD + _COLORS[tone(judged)]) + head[length:]
    lines = [head, paint(" · ".join(machine(run)).replace("\xa0", " "), _DIM), ""]
    if run.results:
        lines += [*_suite_table(run, paint), ""]
    for sentence in reasons(run, judged, margins_of(run)):
        lines += [*_wrap("", sentence, width, ""), ""]
    groups = failures(judged.findings)
    for group in groups[:MAX_FINDINGS]:
        lines += [*_finding(run, group, width, paint), ""]
    if len(groups) > MAX_FINDINGS:
        names = ", ".join(one_line(group.name) for group in groups[MAX_FINDINGS:])
        count = plural(len(groups) - MAX_FINDINGS, "more finding")
        lines += [*_wrap("", f"And {count}: {clip(names, 250)}", width, ""), ""]
    if not groups:
        lines += [*_wrap("What to do", advice(run, judged).replace("`", ""), width, ""), ""]
    lines += _not_judged(run)
    if report is not None:
        page = Path(report) if Path(report).suffix == ".html" else Path(report) / "report.html"
        lines.append(f"{'Report':<{_LABEL}}{page}")
    return "\n".join(lines).rstrip("\n")


def _suite_table(run: Run, paint: _Paint) -> list[str]:
    suites = suites_of(run)
    shown = [o for o in Outcome if run.count(o) or o in (Outcome.PASSED, Outcome.FAILED)]
    name_width = max(len(one_line(suite.name)) for suite in suites)
    lines = []
    for suite in suites:
        cells = []
        for outcome in shown:
            count = suite.counts[outcome.value]
            cell = f"{count:>7,} {outcome.label}"
            cells.append(paint(cell, _COLORS[outcome] if count else _DIM))
        lines.append(
            f"  {one_line(suite.name):<{name_width}}{''.join(cells)}  {duration(suite.duration_s):>12}"
        )
    return [line.replace("\xa0", " ") for line in lines]


def _finding(run: Run, group: Group, width: int, paint: _Paint) -> list[str]:
    finding = group.finding
    count = f" ({plural(len(group.results), 'check')})" if len(group.results) > 1 else ""
    head = f"{group.status.upper()}  {one_line(group.name)}{count}"
    lines = [paint(head, _COLORS[group.outcome])]
    labelled = (
        ("", finding.summary),
        ("expected", finding.expected),
        ("found", finding.found),
        ("likely cause", finding.cause),
        ("what to do", finding.fix.replace("`", "")),
        ("run it alone", command_alone(run, group.first)),
    )
    # A finding of a missing requirement repeats its summary as what was found.
    seen: set[str] = set()
    for label, text in labelled:
        if text and text not in seen:
            lines += _wrap(label, text, width, "  ")
            seen.add(text)
    return lines


def _not_judged(run: Run) -> list[str]:
    groups = unjudged_groups(run)
    absent = [group for group in groups if group.outcome is Outcome.NOT_APPLICABLE]
    if not absent:
        return []
    lacking = ", ".join(
        dict.fromkeys(
            one_line(group.finding.needs) for group in absent if _can_be_required(group.finding.needs)
        )
    )
    count = plural(run.count(Outcome.NOT_APPLICABLE), "check")
    return [
        f"{'Not judged':<{_LABEL}}{count} not applicable{f', for want of {clip(lacking, 200)}' if lacking else ''}"
    ]


def _can_be_required(needs: str) -> bool:
    """A backend that declines a case lacks nothing: no image can bring it."""
    return bool(needs) and not needs.startswith("backend:")


def _wrap(label: str, text: str, width: int, indent: str) -> list[str]:
    """`text` under its label, at most four lines of it."""
    first = f"{indent}{label:<{_LABEL}}" if label else indent
    body = textwrap.wrap(
        one_line(text).replace("\xa0", " "),
        width=max(width, 40),
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return body[:4] if len(body) <= 4 else [*body[:3], f"{body[3]} …"]


def _paint(text: str, code: str, *, color: bool) -> str:
    return f"{code}{text}{_PLAIN}" if color and text else text
