"""The difference in Markdown, for a pull request: block by block, and ending before forges drop it."""

from __future__ import annotations

from collections.abc import Iterator

from gnnbench.history import Change, Difference, Weight, address, short
from gnnbench.record import Outcome
from gnnbench.report.diff import words
from gnnbench.report.markdown import MAX_BYTES
from gnnbench.report.markup import code, folded, inside_html, plain, prose, table
from gnnbench.report.quantity import number
from gnnbench.report.text import plural

_SIGNS = {
    Weight.BREAKS: "🟥",
    Weight.RESULTS: "🟨",
    Weight.SPEED: "🟦",
    Weight.UNKNOWN: "⬜",
    Weight.PASSING: "▫️",
}
_OUTCOMES = {Outcome.FAILED: "❌", Outcome.PASSED: "✅", Outcome.INCONCLUSIVE: "❔"}
_ROWS, _NUMBERS, _IDS = 300, 40, 50


def render_diff_markdown(
    difference: Difference, names: tuple[str, str], *, max_bytes: int = MAX_BYTES
) -> str:
    """The difference as text of at most `max_bytes` bytes of UTF-8, which must be 2,000 or more."""
    note = "\n> Cut here to stay within the size that forges accept; `gnnbench diff --json` has the rest.\n"
    room = max_bytes - len(note.encode())
    kept = []
    for block in _blocks(difference, names):
        room -= len(block.encode("utf-8", "backslashreplace")) + 1
        if room < 0:
            kept.append(note)
            break
        kept.append(block)
    return "\n".join(kept)


def _blocks(difference: Difference, names: tuple[str, str]) -> Iterator[str]:
    answer, rest = words.headline(difference)
    yield f"### gnnbench diff: {plain(answer.lower())}: {plain(rest)}\n"
    rows = [
        [letter, code(name), " · ".join(plain(said) for said in machine)]
        for letter, name, machine in zip("AB", names, words.sides(difference), strict=True)
    ]
    yield table(["", "document", "made on"], rows, words=3)
    yield from _checks(difference)
    for weight in (Weight.BREAKS, Weight.RESULTS, Weight.SPEED):
        changes = difference.with_weight(weight)
        if changes:
            yield f"#### {_SIGNS[weight]} {weight.label.capitalize()}\n\n{words.MEANING[weight].capitalize()}.\n"
        for change in changes[:_ROWS]:
            yield _change(change)
        if len(changes) > _ROWS:
            yield f"And {plural(len(changes) - _ROWS, 'more change')}.\n"
    for weight in (Weight.UNKNOWN, Weight.PASSING):
        changes = difference.with_weight(weight)
        if changes:
            title = f"{_SIGNS[weight]} {plural(len(changes), 'change')}: {inside_html(words.MEANING[weight])}"
            yield folded(title, _table(changes))
    yield from _numbers(difference)
    yield from _recorded(difference)


def _checks(difference: Difference) -> Iterator[str]:
    rows = words.check_rows([change for change in difference.checks if change.turn != "not asked for"])
    if rows:
        yield "#### Checks that ended otherwise\n"
    for row in rows[:_ROWS]:
        lines = [f"- {_OUTCOMES[row.outcome]} **{row.turn}**: {code(row.name)}"]
        lines += [f"  {plain(row.reason)}"] if row.reason else []
        lines += [f"  What to do: {prose(row.fix)}"] if row.fix else []
        yield "  \n".join(lines) + "\n"
        if len(row.results) > 1:
            ids = "\n".join(f"- {code(result.id)}" for result in row.results[:_IDS])
            yield folded(f"All {plural(len(row.results), 'check')}", ids + _rest(len(row.results), _IDS))
    if len(rows) > _ROWS:
        yield f"And {plural(len(rows) - _ROWS, 'more row')}.\n"


def _change(change: Change) -> str:
    remark = words.remark(change)
    lines = [
        f"- **{plain(change.title)}**: {plain(words.from_to(change))}{f' ({plain(remark)})' * bool(remark)}"
    ]
    for named in change.consequences:
        where = words.whose(named)
        cited = ", ".join(
            f"[{plain(short(source))}]({address(source)})" for source in named.consequence.sources
        )
        lines.append(f"  - {where}{': ' * bool(where)}{prose(named.consequence.text)} ({cited})")
    return "\n".join(lines) + "\n"


def _table(changes: tuple[Change, ...]) -> str:
    rows = [
        [plain(change.title), plain(words.from_to(change)), plain(words.remark(change))]
        for change in changes[:_ROWS]
    ]
    return table(["what", "from A to B", ""], rows, words=3) + _rest(len(changes), _ROWS)


def _numbers(difference: Difference) -> Iterator[str]:
    if difference.margins:
        rows = [
            [
                code(one.result.id),
                plain(one.after.name),
                number(one.before.ratio, 2),
                number(one.after.ratio, 2),
            ]
            for one in difference.margins[:_NUMBERS]
        ]
        lines = table(["check", "compared", "A: error ÷ bound", "B"], rows, words=2)
        title = f"{plural(len(difference.margins), 'comparison')} nearer to the bound by 8 times or more"
        yield folded(title, lines + _rest(len(difference.margins), _NUMBERS))
    if difference.counts:
        rows = [
            [code(one.result.id), plain(one.after.name), plain(words.count_text(one))]
            for one in difference.counts[:_NUMBERS]
        ]
        lines = table(["check", "count", "from A to B"], rows, words=3)
        title = f"{plural(len(difference.counts), 'count')} that should repeat exactly"
        yield folded(title, lines + _rest(len(difference.counts), _NUMBERS))


def _recorded(difference: Difference) -> Iterator[str]:
    lines = [f"- {plain(change.title)}: {plain(words.from_to(change))}" for change in difference.asked]
    alone = words.alone(difference)
    lines += [f"- {plain(alone)}"] if alone else []
    if lines:
        yield folded("How the runs were made", "\n".join(lines))
    for letter, other, titles in (("A", "B", difference.only_a), ("B", "A", difference.only_b)):
        if titles:
            said = f"Recorded in {letter} alone, so not compared: {plural(len(titles), 'fact')} that {other} has not"
            yield folded(said, plain(", ".join(titles)))


def _rest(count: int, limit: int) -> str:
    return f"\n\nAnd {count - limit:,} more.\n" if count > limit else ""
