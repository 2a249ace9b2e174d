"""Whether to colour what goes to a stream."""

from __future__ import annotations

import os
from typing import IO


def wants_color(stream: IO[str]) -> bool:
    """`NO_COLOR` wins, then `FORCE_COLOR`; both count only when not empty. Else colour on a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
