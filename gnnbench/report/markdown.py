"""The summary in Markdown, for a pull request, a step summary or a merge request.

GitHub aborts the whole upload of a step summary over 1 MiB. So the summary is put together block by block,
the most important first, and ends before the limit with a word on what it leaves out. Headings start at
`###`: the page it stands on has its own above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gnnbench.record import Outcome, Result, Run, verdict
from gnnbench.report.findings import Group, command_again, command_alone, finding_of
from gnnbench.report.headline import advice, answer, machine, reasons, tone
from gnnbench.report.margins import Margins, margins_of
from gnnbench.report.measurements import Series, series_of
from gnnbench.report.page import Suite, failed_groups, suites_of, unjudged_groups
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
_TEXT, _LOG, _IDS, _ROWS = 600, 4000, 100, 40
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!$@])")


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
    yield f"### {_SIGNS[tone(judged)]} gnnbench: {_text(word)}{': ' if rest else ''}{_text(rest)}\n"
    yield f"{' · '.join(_text(words) for words in machine(run))}\n"
    for sentence in reasons(run, judged, margins):
        yield f"{_text(sentence)}\n"
    groups = failed_groups(judged)
    if not groups or not judged.findings:
        yield f"**What to do:** {_prose(advice(run, judged))}\n"
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
    if run.unfinished:
        yield _folded(f"Never ended: {plural(len(run.unfinished), 'check')}", _ids(run.unfinished))
    if margins.count:
        yield _margin_table(margins)
    for series in series_of(run):
        yield _series_table(series)
    yield _invocation(run)


def _suite_table(suites: tuple[Suite, ...]) -> str:
    head = ["suite", *(outcome.label for outcome in Outcome), "time", "worst margin"]
    rows = [
        [
            _text(suite.name),
            *(f"{suite.counts[outcome.value]:,}" for outcome in Outcome),
            duration(suite.duration_s),
            "–" if suite.worst is None else number(suite.worst.ratio, 2),
        ]
        for suite in suites[:_ROWS]
    ]
    return _table(head, rows)


def _finding(run: Run, group: Group) -> str:
    finding, first = group.finding, group.first
    count = f" ({plural(len(group.results), 'check')})" if len(group.results) > 1 else ""
    lines = [f"{_SIGNS[group.outcome]} **{_text(finding.summary)}**  ", f"{_code(group.name)}{count}\n"]
    labelled = (
        ("Expected", _text(finding.expected)),
        ("Found", _text(finding.found)),
        ("Likely cause", _prose(finding.cause)),
        ("What to do", _prose(finding.fix)),
        ("Run it alone", _code(command_alone(run, first))),
    )
    lines += [f"- {label}: {said}" for label, said in labelled if said]
    lines.append("")
    if len(group.results) > 1:
        lines.append(_folded(f"All {plural(len(group.results), 'check')}", _results(group.results)))
    if first.log:
        lines.append(_folded("Log", _fence(clip_log(first.log, _LOG))))
    return "\n".join(lines)


def _reason(group: Group) -> str:
    finding = group.finding
    said = f"{_SIGNS[group.outcome]} {_text(finding.summary)} · {group.outcome.label}, {plural(len(group.results), 'check')}"
    said += f", needs {_code(finding.needs)}" if finding.needs else ""
    fix = f"\n\nTo judge: {_prose(finding.fix)}" if finding.fix else ""
    ids = _ids([result.id for result in group.results])
    return f"{said}{fix}\n\n{_folded('Which', ids)}"


def _margin_table(margins: Margins) -> str:
    columns = margins.quantities[:6]
    rows = []
    for strip in margins.strips[:_ROWS]:
        worst = [strip.worst_of(name) for name in columns]
        rows.append([_text(strip.name), *("–" if m is None else number(m.ratio, 2) for m in worst)])
    table = _table(["source", *(_text(name) for name in columns)], rows)
    more = f"\n{plural(len(margins.strips) - _ROWS, 'more source')} in `report.html`.\n" * (
        len(margins.strips) > _ROWS
    )
    return _folded("Worst margins: error ÷ bound, at most 1 passes", table + more)


def _series_table(series: Series) -> str:
    scale = series.scale
    rows = []
    for row in series.rows[:_ROWS]:
        low, high = row.measurement.quartiles
        spread = f"{scale.number(low)} – {scale.number(high)}"
        rows.append(
            [
                _text(row.label),
                scale.number(row.measurement.median),
                spread,
                str(len(row.measurement.samples)),
            ]
        )
    table = _table(
        ["what", f"median, {_text(scale.unit)}" if scale.unit else "median", "quartiles", "samples"], rows
    )
    title = f"{_html(series.title)} of {_html(series.workload)} ({series.better})"
    return _folded(title, table)


def _invocation(run: Run) -> str:
    packages = sorted(run.environment.packages.items())[: _ROWS * 10]
    facts = [
        [_text(fact.title), _text(clip(_fact(fact.value), _TEXT))] for fact in run.environment.facts.values()
    ]
    lines = [
        f"Run {_code(run.id)}, {moment(one_line(run.started_at))}, gnnbench {_text(run.gnnbench)}. "
        f"Again: {_code(command_again(run))}\n"
    ]
    if facts:
        lines.append(_folded("Environment", _table(["fact", "value"], facts)))
    if packages:
        lines.append(
            _folded("Packages", _fence("\n".join(f"{name} {version}" for name, version in packages)))
        )
    return "\n".join(lines)


def _fact(value: object) -> str:
    return "–" if value is None else str(value)


def _results(results: tuple[Result, ...]) -> str:
    lines = [f"- {_code(result.id)}: {_text(finding_of(result).summary)}" for result in results[:_IDS]]
    return "\n".join([*lines, *_and_more(len(results))])


def _ids(names: list[str] | tuple[str, ...]) -> str:
    return "\n".join([*(f"- {_code(name)}" for name in names[:_IDS]), *_and_more(len(names))])


def _and_more(count: int) -> list[str]:
    return [f"- and {count - _IDS:,} more in `run.json`"] if count > _IDS else []


def _table(head: list[str], rows: list[list[str]]) -> str:
    ruler = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ruler, *rows]) + "\n"


def _folded(title: str, inside: str) -> str:
    # The blank lines matter: without them the inside is not read as Markdown.
    return f"<details><summary>{title}</summary>\n\n{inside.rstrip()}\n\n</details>\n"


def _fence(text: str) -> str:
    """A block that nothing in `text` can end: its fence is longer than any inside."""
    ticks = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}text\n{text}\n{fence}"


def _code(text: str) -> str:
    text = one_line(clip(text, _TEXT)).replace("|", "¦")
    ticks = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (ticks + 1)
    # A code span that begins or ends with a backtick needs a space there.
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}" if text else ""


def _text(text: str) -> str:
    """Plain text: nothing in it is markup."""
    return _escape(one_line(clip(text, _TEXT)))


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;"))


def _prose(text: str) -> str:
    """Plain text in which `code` in backticks stays code."""
    parts = one_line(clip(text, _TEXT)).split("`")
    if len(parts) % 2 == 0:
        return _text(text)
    return "".join(_code(part) if index % 2 else _escape(part) for index, part in enumerate(parts))


def _html(text: str) -> str:
    from html import escape

    return escape(one_line(clip(text, _TEXT)))
