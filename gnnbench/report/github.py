"""What GitHub Actions shows by itself: annotations for the worst few failures, and the step summary."""

from __future__ import annotations

from pathlib import Path

from gnnbench.record import Outcome, Run, verdict
from gnnbench.report.findings import failures
from gnnbench.report.markdown import MAX_BYTES, render_markdown
from gnnbench.report.text import clip, one_line, plural

#: GitHub shows ten of a kind a step; one is kept for the count of the rest.
MAX_ANNOTATIONS = 10
#: Beyond it, GitHub drops the summary of the whole step.
_STEP_BYTES = 1024 * 1024
_TEXT = 800


def annotation_lines(run: Run, limit: int = MAX_ANNOTATIONS) -> list[str]:
    """Workflow commands for the worst findings, one a line to print; at most `limit` of them.

    Failures are errors. A run that is not good for another reason gives one error that says it.
    """
    judged = verdict(run)
    if judged.good:
        return []
    groups = failures(result for result in judged.findings if result.outcome is Outcome.FAILED)
    if not groups:
        return [_command("gnnbench", judged.headline)]
    shown = groups if len(groups) <= limit else groups[: limit - 1]
    lines = []
    for group in shown:
        finding = group.finding
        labelled = (("expected", finding.expected), ("found", finding.found), ("what to do", finding.fix))
        parts = [finding.summary, *(f"{label}: {text}" for label, text in labelled if text)]
        if len(group.results) > 1:
            parts.append(f"the same in {plural(len(group.results) - 1, 'more check')}")
        lines.append(_command(group.name, "\n".join(clip(part, _TEXT) for part in parts)))
    if len(shown) < len(groups):
        rest = plural(len(groups) - len(shown), "more finding")
        lines.append(
            _command("gnnbench", f"{judged.headline}; {rest} in the summary of this step and in report.html")
        )
    return lines


def append_step_summary(run: Run, path: Path) -> None:
    """Append the summary to the file that `$GITHUB_STEP_SUMMARY` names, within what is left of its limit.

    Raises `OSError` where it can't be written to.
    """
    taken = path.stat().st_size if path.exists() else 0
    room = min(_STEP_BYTES - taken - 1024, MAX_BYTES)
    if room < 2000:
        # Another word here would cost the step everything that it has said so far.
        return
    with path.open("ab") as file:
        file.write(f"\n{render_markdown(run, max_bytes=room)}\n".encode("utf-8", "backslashreplace"))


def _command(title: str, message: str) -> str:
    return f"::error title={_property(one_line(clip(title, 200)))}::{_data(clip(message, 4 * _TEXT))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
