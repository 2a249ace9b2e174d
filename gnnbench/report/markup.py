"""Pieces of Markdown, made so that no text from a document becomes markup."""

from __future__ import annotations

import re
from html import escape

from gnnbench.report.text import clip, one_line

#: Characters of one text.
MAX_TEXT = 600

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!$@])")


def table(head: list[str], rows: list[list[str]], *, words: int = 1) -> str:
    """A table of cells that are Markdown already; the first `words` columns hold words, the others numbers."""
    ruler = ["---" if column < words else "---:" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ruler, *rows]) + "\n"


def folded(title: str, inside: str) -> str:
    """`inside`, folded away under `title`, which is HTML."""
    # The blank lines matter: without them the inside is not read as Markdown.
    return f"<details><summary>{title}</summary>\n\n{inside.rstrip()}\n\n</details>\n"


def fence(text: str) -> str:
    """A block that nothing in `text` can end: its fence is longer than any inside."""
    ticks = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}text\n{text}\n{fence}"


def code(text: str) -> str:
    """A code span that nothing in `text` can end."""
    text = one_line(clip(text, MAX_TEXT)).replace("|", "¦")
    ticks = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (ticks + 1)
    # A code span that begins or ends with a backtick needs a space there.
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}" if text else ""


def plain(text: str) -> str:
    """Plain text: nothing in it is markup."""
    return _escape(one_line(clip(text, MAX_TEXT)))


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;"))


def prose(text: str) -> str:
    """Plain text in which `code` in backticks stays code."""
    parts = one_line(clip(text, MAX_TEXT)).split("`")
    if len(parts) % 2 == 0:
        return plain(text)
    return "".join(code(part) if index % 2 else _escape(part) for index, part in enumerate(parts))


def inside_html(text: str) -> str:
    """Plain text for the inside of a tag."""
    return escape(one_line(clip(text, MAX_TEXT)))
