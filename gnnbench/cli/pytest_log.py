"""What pytest printed, and what it says of its own end."""

from __future__ import annotations

import re
from pathlib import Path

_WIDTH = 300
#: Enough for the longest trace of a crash, whose first frames count.
_LINES = 400
_PLUGIN = re.compile(r'^Error while loading plugin "(.+)"\.$', re.MULTILINE)


def tail(log: Path | None, lines: int = 60) -> str:
    """The last `lines` lines; empty where there is no log."""
    if log is None or not log.is_file():
        return ""
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])


def last_words(log: Path | None) -> str:
    """Why pytest itself came to grief, where it says so: `plugin my_plugin: RuntimeError: no such kernel`."""
    text = tail(log, _LINES)
    crash = _crash(text)
    if crash:
        return crash if len(crash) <= _WIDTH else f"{crash[:_WIDTH]} …"
    lines = [line for line in text.splitlines() if line.strip()]
    # After an error of its own pytest ends with small talk: the line that counts is the last of the error.
    internal = [line for line in lines if line.startswith("INTERNALERROR>") and line != "INTERNALERROR>"]
    last = re.sub(r"^(?:INTERNALERROR> ?|E +)", "", (internal or lines or [""])[-1]).strip()
    plugin = _PLUGIN.search(text)
    said = f"plugin {plugin[1]}: {last}" if plugin and not internal else last
    return said if len(said) <= _WIDTH else f"{said[:_WIDTH]} …"


def _crash(text: str) -> str:
    """What Python's fault handler wrote last: the error, and the innermost place that is not Python's own."""
    _, fatal, trace = text.rpartition("Fatal Python error: ")
    _, dump, frames = trace.partition("(most recent call first):")
    if not fatal or not dump:
        return ""
    error = trace.partition("\n")[0].strip()
    places = re.findall(r'^  File "(.+)", line (\d+) in', frames.partition("\n\n")[0], re.MULTILINE)
    where = next((f"{file}:{line}" for file, line in places if not file.startswith("<")), "")
    return f"{error} at {where}" if where else error
