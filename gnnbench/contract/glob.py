"""Patterns with `*` and `?`, and nothing else: ids of checks hold brackets, which `fnmatch` takes for sets."""

from __future__ import annotations

import re


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` is what `pattern` describes."""
    wild = {"*": ".*", "?": "."}
    return (
        re.fullmatch("".join(wild.get(sign) or re.escape(sign) for sign in pattern), text, re.DOTALL)
        is not None
    )
