"""What is wrong with a contract as a file."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class ContractError(ValueError):
    """A file is no contract. The message is one line: file and line, key, what was expected, what was found, what to do."""


def nearest(word: str, known: Collection[str]) -> str:
    """`; did you mean gpu_count?`, where one of `known` is close; else which there are."""
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), folded, n=1)
    if close:
        return f"; did you mean {folded[close[0]]}?"
    return f"; there are {', '.join(sorted(known))}" if known else ""
