"""The difference for a terminal: what matters most first, and nothing left out."""

from __future__ import annotations

import textwrap

from gnnbench.history import Change, Difference, Weight, short
from gnnbench.record import Outcome
from gnnbench.report.diff import words
from gnnbench.report.findings import variant
from gnnbench.report.quantity import number
from gnnbench.report.text import clip, one_line, plural

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_RED, _GREEN, _YELLOW = "\x1b[31m", "\x1b[32m", "\x1b[33m"
_WEIGHTS = {Weight.BREAKS: _RED, Weight.RESULTS: _YELLOW, Weight.SPEED: _BOLD, Weight.PASSING: _DIM}
_OUTCOMES = {Outcome.FAILED: _RED, Outcome.PASSED: _GREEN, Outcome.INCONCLUSIVE: _YELLOW}
#: Of one kind; a document made to be long must not bury what it holds.
_ROWS, _NUMBERS, _TEXT = 500, 20, 300


class _Lines:
    """Lines of a terminal of some width, with or without colours."""

    def __init__(self, *, color: bool, width: int) -> None:
        self.lines: list[str] = []
        self._color, self._width = color, max(width, 40)

    def paint(self, text: str, code: str) -> str:
        return f"{code}{text}{_PLAIN}" if self._color and text and code else text

    def heading(self, text: str, code: str = _BOLD) -> None:
        wrapped = textwrap.wrap(text, width=self._width, subsequent_indent="    ", break_on_hyphens=False)
        self.lines += ["", *(self.paint(line, code) for line in wrapped)]

    def wrapped(self, text: str, indent: int, *, head: str = "", code: str = _BOLD, gap: str = "  ") -> None:
        """`head` and `text` in as many lines as they take; `head` alone is painted."""
        head, text = one_line(head), one_line(text).replace("`", "").replace("\xa0", " ")
        body = textwrap.wrap(
            f"{head}{gap}{text}" if head else text,
            width=self._width,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + 4 if head else indent),
            break_on_hyphens=False,
        )
        if head and body and body[0].lstrip().startswith(head):
            body[0] = " " * indent + self.paint(head, code) + body[0][indent + len(head) :]
        self.lines += body


def render_diff_text(
    difference: Difference, names: tuple[str, str], *, color: bool = False, width: int = 100
) -> str:
    """The difference as lines of text, without a last newline.

    Args:
        difference: of two documents.
        names: what to call them, such as their paths.
        color: whether to use terminal colours.
        width: of the terminal, in characters.
    """
    out = _Lines(color=color, width=width)
    answer, rest = words.headline(difference)
    tone = _RED if difference.with_weight(Weight.BREAKS) or not difference.judged_alike else _YELLOW
    out.wrapped(
        f": {rest}", 0, head=answer.upper(), gap="", code=_BOLD + (tone if difference.differ else _GREEN)
    )
    for letter, name, machine in zip("AB", names, words.sides(difference), strict=True):
        out.wrapped(f"{name} · {' · '.join(machine)}", 0, head=letter)
    _checks(out, difference)
    for weight in Weight:
        _changes(out, weight, difference.with_weight(weight))
    _numbers(out, difference)
    _recorded(out, difference)
    return "\n".join(out.lines)


def _checks(out: _Lines, difference: Difference) -> None:
    rows = words.check_rows([change for change in difference.checks if change.turn != "not asked for"])
    if rows:
        out.heading("Checks that ended otherwise")
    for row in rows[:_ROWS]:
        count = f"  ({plural(len(row.results), 'check')})" if len(row.results) > 1 else ""
        out.wrapped(f"{clip(row.name, _TEXT)}{count}", 2, head=row.turn, code=_OUTCOMES[row.outcome])
        if row.reason:
            out.wrapped(clip(row.reason, _TEXT), 6)
        if row.fix:
            out.wrapped(f"what to do: {clip(row.fix, _TEXT)}", 6)
    _more(out, len(rows), "row")


def _changes(out: _Lines, weight: Weight, changes: tuple[Change, ...]) -> None:
    if not changes:
        return
    heading = weight.label.capitalize()
    out.heading(f"{heading}: {words.MEANING[weight]}", _WEIGHTS.get(weight, _BOLD))
    for change in changes[:_ROWS]:
        remark = words.remark(change)
        said = f"{words.from_to(change)}  ({remark})" if remark else words.from_to(change)
        out.wrapped(said, 2, head=clip(change.title, 80), code=_DIM if weight is Weight.PASSING else _BOLD)
        for named in change.consequences:
            where = words.whose(named)
            cited = ", ".join(dict.fromkeys(short(source) for source in named.consequence.sources))
            out.wrapped(f"{where}{': ' * bool(where)}{named.consequence.text} [{cited}]", 6)
    _more(out, len(changes), "change")


def _numbers(out: _Lines, difference: Difference) -> None:
    if difference.margins:
        out.heading("Nearer to their bounds: comparisons that passed in both, by 8 times or more")
    rows = words.margin_rows(difference.margins)
    for name, count, nearest in rows[:_NUMBERS]:
        said = f"{number(nearest.before.ratio, 2)} → {number(nearest.after.ratio, 2)} of the bound"
        which = f"in {variant(nearest.result)}, " if variant(nearest.result) else ""
        out.wrapped(
            f"{plural(count, 'comparison')}; the nearest {which}{nearest.after.name}: {said}",
            2,
            head=clip(name, _TEXT),
        )
    _more(out, len(rows), "check", _NUMBERS)
    if difference.counts:
        out.heading("Counts that differ")
    for each in difference.counts[:_NUMBERS]:
        out.wrapped(
            words.count_text(each), 2, head=f"{clip(each.result.id, _TEXT)} {clip(each.after.name, 40)}"
        )
    _more(out, len(difference.counts), "count", _NUMBERS)


def _recorded(out: _Lines, difference: Difference) -> None:
    if difference.asked or words.alone(difference):
        out.heading("How the runs were made")
    for change in difference.asked:
        out.wrapped(words.from_to(change), 2, head=change.title)
    if alone := words.alone(difference):
        out.wrapped(alone, 2)
    for letter, other, titles in (("A", "B", difference.only_a), ("B", "A", difference.only_b)):
        if titles:
            out.heading(
                f"Recorded in {letter} alone, so not compared: {plural(len(titles), 'fact')} that {other} has not"
            )
            out.wrapped(clip(", ".join(map(one_line, titles)), 1000), 2)


def _more(out: _Lines, count: int, noun: str, limit: int = _ROWS) -> None:
    if count > limit:
        out.wrapped(f"and {plural(count - limit, f'more {noun}')}: --json has them all", 2)
