"""The difference as a page: one file, offline, complete without script and without its style sheet."""

from __future__ import annotations

from functools import partial

from gnnbench.history import Difference, Weight, address, short
from gnnbench.report import text
from gnnbench.report.diff import words
from gnnbench.report.html import MAX_BYTES, templates
from gnnbench.report.limits import LADDER, part


def render_diff_html(difference: Difference, names: tuple[str, str]) -> str:
    """The page as text, below `MAX_BYTES` bytes of UTF-8; `names` are what the documents are called."""
    template = templates().get_template("diff.html.j2")
    everything = {
        "difference": difference,
        "documents": [
            (letter, name, run, machine)
            for letter, name, run, machine in zip(
                "AB", names, (difference.a, difference.b), words.sides(difference), strict=True
            )
        ],
        "answered": words.headline(difference),
        "check_rows": words.check_rows(
            [change for change in difference.checks if change.turn != "not asked for"]
        ),
        "named_weights": [
            w for w in (Weight.BREAKS, Weight.RESULTS, Weight.SPEED) if difference.with_weight(w)
        ],
        "plain_weights": [w for w in (Weight.UNKNOWN, Weight.PASSING) if difference.with_weight(w)],
        "words": words,
        "address": address,
        "short": short,
        "part": part,
    }
    rendered = ""
    for limits in LADDER:
        rendered = template.render(
            **everything, limits=limits, cut=partial(text.clip, limit=limits.text), one_line=text.one_line
        )
        if len(rendered.encode("utf-8", "backslashreplace")) < MAX_BYTES:
            break
    return rendered
