"""Text from anywhere, made fit for a page: control characters, terminal colours, broken encodings, length."""

from __future__ import annotations

import re

# Colours, cursor movements (CSI), titles and links (OSC), and the two-character sequences.
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\|$)|[@-Z\\^_=>c])")
# What XML 1.0 can't hold, and the C1 controls, which HTML reads as something else.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
# Lone surrogates can't be encoded; directional overrides can make a text read as something else.
_ESCAPED = re.compile("[\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """`text` without terminal sequences and control characters; newlines are `\\n`.

    A byte that was no UTF-8 (a lone surrogate) is shown as its escape, `\\xff`.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _TERMINAL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _ESCAPED.sub(_escape, _UNPRINTABLE.sub("", text))


def one_line(text: str) -> str:
    """`text` cleaned, with every run of white space as one space."""
    return " ".join(clean(text).split())


def clip(text: str, limit: int) -> str:
    """`text` cleaned and, beyond `limit` characters, cut with a note of how many are left out."""
    text = clean(text)
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()} … ({len(text) - limit:,} more characters in run.json)"


def clip_log(log: str, limit: int) -> str:
    """The beginning and, mostly, the end of a log: what went wrong stands at its end."""
    log = clean(log).strip("\n")
    if len(log) <= limit:
        return log
    head, tail = log[: limit // 4], log[-(limit - limit // 4) :]
    left_out = len(log) - len(head) - len(tail)
    return f"{head}\n\n[… {left_out:,} characters left out here; run.json has them …]\n\n{tail}"


def plural(count: int, noun: str) -> str:
    """`1 check`, `1,204 checks`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    # Python stands U+DC80 to U+DCFF for the bytes 0x80 to 0xff that it could not decode.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
