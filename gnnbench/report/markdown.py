"""The summary in Markdown, for a pull request, a step summary or a merge request.

GitHub aborts the whole upload of a step summary over 1 MiB. So the summary is put together block by block,
the most important first, and ends before the limit with a word on what it leaves out. Headings start at
`###`: the page it stands on has its own above.
"""

from __future__ import annotations

from collections.abc import Iterator

from gnnbench.record import Outcome, Result, Run, verdict
from gnnbench.report.findings import Group, command_again, command_alone, finding_of
from gnnbench.report.headline import advice, answer, machine, reasons, tone
from gnnbench.report.margins import Margins, margins_of
from gnnbench.report.markup import MAX_TEXT, code, fence, folded, inside_html, plain, prose, table
from gnnbench.report.measurements import Series, series_of
from gnnbench.report.page import Suite, failed_groups, suites_of, unjudged_groups
from gnnbench.report.proofs import Row, proofs_of
from gnnbench.report.quantity import duration, moment, number
from gnnbench.report.text import clip, clip_log, one_line, plural

#: GitHub's limit is 1 MiB for a whole step; the rest is left to what else the step says.
MAX_BYTES = 900_000

_SIGNS = {
    Outcome.PASSED: "✅",
    Outcome.FAILED: "❌",
    Outcome.INCONCLUSIVE: "❔",
    Outcome.NOT_APPLICABLE: "➖",
}
_LOG, _IDS, _ROWS, _FAULTS, _CHECKS = 4000, 100, 40, 200, 3


def render_markdown(run: Run, *, max_bytes: int = MAX_BYTES) -> str:
    """The summary as text of at most `max_bytes` bytes of UTF-8, which must be 2,000 or more."""
    note = "\n> Cut here to stay within the size that forges accept; `report.html` and `run.json` have the rest.\n"
    room = max_bytes - len(note.encode())
    kept = []
    for block in _blocks(run):
        room -= len(block.encode("utf-8", "backslashreplace")) + 1
        if room < 0:
            kept.append(note)
            break
        kept.append(block)
    return "\n".join(kept)


def _blocks(run: Run) -> Iterator[str]:
    """Whole pieces of Markdown, each of which can be the last."""
    judged, margins = verdict(run), margins_of(run)
    word, rest = answer(judged)
    yield f"### {_SIGNS[tone(judged)]} gnnbench: {plain(word)}{': ' if rest else ''}{plain(rest)}\n"
    yield f"{' · '.join(plain(words) for words in machine(run))}\n"
    for sentence in reasons(run, judged, margins):
        yield f"{plain(sentence)}\n"
    groups = failed_groups(judged)
    if not groups or not judged.findings:
        yield f"**What to do:** {prose(advice(run, judged))}\n"
    suites = suites_of(run)
    if suites:
        yield _suite_table(suites)
    if groups:
        yield "#### What failed\n"
    for group in groups:
        yield _finding(run, group)
    unjudged = unjudged_groups(run)
    if unjudged:
        yield "#### What did not judge\n"
    for group in unjudged:
        yield _reason(group)
    planted = proofs_of(run)
    if planted:
        yield _fault_table(planted)
    if run.unfinished:
        yield folded(f"Never ended: {plural(len(run.unfinished), 'check')}", _ids(run.unfinished))
    if margins.count:
        yield _margin_table(margins)
    for series in series_of(run):
        yield _series_table(series)
    yield _invocation(run)


def _suite_table(suites: tuple[Suite, ...]) -> str:
    head = ["suite", *(outcome.label for outcome in Outcome), "time", "worst margin"]
    rows = [
        [
            plain(suite.name),
            *(f"{suite.counts[outcome.value]:,}" for outcome in Outcome),
            duration(suite.duration_s),
            "–" if suite.worst is None else number(suite.worst.ratio, 2),
        ]
        for suite in suites[:_ROWS]
    ]
    return table(head, rows)


def _finding(run: Run, group: Group) -> str:
    finding, first = group.finding, group.first
    count = f" ({plural(len(group.results), 'check')})" if len(group.results) > 1 else ""
    lines = [f"{_SIGNS[group.outcome]} **{plain(finding.summary)}**  ", f"{code(group.name)}{count}\n"]
    labelled = (
        ("Expected", plain(finding.expected)),
        ("Found", plain(finding.found)),
        ("Likely cause", prose(finding.cause)),
        ("What to do", prose(finding.fix)),
        ("Run it alone", code(command_alone(run, first))),
    )
    lines += [f"- {label}: {said}" for label, said in labelled if said]
    lines.append("")
    if len(group.results) > 1:
        lines.append(folded(f"All {plural(len(group.results), 'check')}", _results(group.results)))
    if first.log:
        lines.append(folded("Log", fence(clip_log(first.log, _LOG))))
    return "\n".join(lines)


def _reason(group: Group) -> str:
    finding = group.finding
    said = f"{_SIGNS[group.outcome]} {plain(finding.summary)} · {group.outcome.label}, {plural(len(group.results), 'check')}"
    said += f", needs {code(finding.needs)}" if finding.needs else ""
    fix = f"\n\nTo judge: {prose(finding.fix)}" if finding.fix else ""
    ids = _ids([result.id for result in group.results])
    return f"{said}{fix}\n\n{folded('Which', ids)}"


def _fault_table(planted: tuple[Row, ...]) -> str:
    """Every fault with how it was judged: a row each, for a run has dozens of them."""
    rows = [
        [
            plain(row.name),
            plain(row.title),
            f"{_SIGNS[Outcome.PASSED if row.proved else Outcome.FAILED]} {row.judged}",
            ", ".join(map(code, row.caught_by[:_CHECKS])) + _others(len(row.caught_by) - _CHECKS) or "–",
            duration(row.seconds),
        ]
        for row in planted[:_FAULTS]
    ]
    lines = table(["fault", "what is wrong", "judged", "red in", "time"], rows, words=4)
    more = len(planted) - _FAULTS
    left_out = f"\n{plural(more, 'more fault')} in `run.json`.\n" if more > 0 else ""
    return f"#### Faults that were planted\n\n{lines}{left_out}"


def _others(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _margin_table(margins: Margins) -> str:
    columns = margins.quantities[:6]
    rows = []
    for strip in margins.strips[:_ROWS]:
        worst = [strip.worst_of(name) for name in columns]
        rows.append([plain(strip.name), *("–" if m is None else number(m.ratio, 2) for m in worst)])
    lines = table(["source", *(plain(name) for name in columns)], rows)
    more = f"\n{plural(len(margins.strips) - _ROWS, 'more source')} in `report.html`.\n" * (
        len(margins.strips) > _ROWS
    )
    return folded("Worst margins: error ÷ bound, at most 1 passes", lines + more)


def _series_table(series: Series) -> str:
    scale = series.scale
    rows = []
    for row in series.rows[:_ROWS]:
        low, high = row.measurement.quartiles
        spread = f"{scale.number(low)} – {scale.number(high)}"
        rows.append(
            [
                plain(row.label),
                scale.number(row.measurement.median),
                spread,
                str(len(row.measurement.samples)),
            ]
        )
    lines = table(
        ["what", f"median, {plain(scale.unit)}" if scale.unit else "median", "quartiles", "samples"], rows
    )
    title = f"{inside_html(series.title)} of {inside_html(series.workload)} ({series.better})"
    return folded(title, lines)


def _invocation(run: Run) -> str:
    packages = sorted(run.environment.packages.items())[: _ROWS * 10]
    facts = [
        [plain(fact.title), plain(clip(_fact(fact.value), MAX_TEXT))]
        for fact in run.environment.facts.values()
    ]
    lines = [
        f"Run {code(run.id)}, {moment(one_line(run.started_at))}, gnnbench {plain(run.gnnbench)}. "
        f"Again: {code(command_again(run))}\n"
    ]
    if facts:
        lines.append(folded("Environment", table(["fact", "value"], facts)))
    if packages:
        lines.append(folded("Packages", fence("\n".join(f"{name} {version}" for name, version in packages))))
    return "\n".join(lines)


def _fact(value: object) -> str:
    return "–" if value is None else str(value)


def _results(results: tuple[Result, ...]) -> str:
    lines = [f"- {code(result.id)}: {plain(finding_of(result).summary)}" for result in results[:_IDS]]
    return "\n".join([*lines, *_and_more(len(results))])


def _ids(names: list[str] | tuple[str, ...]) -> str:
    return "\n".join([*(f"- {code(name)}" for name in names[:_IDS]), *_and_more(len(names))])


def _and_more(count: int) -> list[str]:
    return [f"- and {count - _IDS:,} more in `run.json`"] if count > _IDS else []
