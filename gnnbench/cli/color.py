"""Whether to colour what goes to a stream."""

from __future__ import annotations

import os
from typing import IO


def wants_color(stream: IO[str] | None) -> bool:
    """`NO_COLOR` wins, then `FORCE_COLOR`; both count only when not empty. Else colour on a terminal."""
    if stream is None or os.environ.get("NO_COLOR"):  # None: closed by whoever started us
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
