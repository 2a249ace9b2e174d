"""TOML as text: reading it on every Python, and writing keys and values."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def read_toml(text: str) -> dict[str, Any]:
    """The document as dictionaries, lists and scalars; raises `ValueError` and, nested too deep, `RecursionError`."""
    document: dict[str, Any] = tomllib.loads(text)
    return document


def toml_key(*names: str | int) -> str:
    """A dotted key: `libraries.versions."libcudnn.so.9"`; positions in arrays are left out."""
    return ".".join(
        name if _BARE_KEY.fullmatch(name) else toml_value(name) for name in names if isinstance(name, str)
    )


def toml_value(value: str | float | bool) -> str:
    """One scalar; a text may hold anything but lone surrogates."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # TOML's basic strings are JSON's, but for the character that JSON lets pass.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def toml_array(values: Iterable[str | float | bool]) -> str:
    """One element a line, so that each can be taken out and be pointed at."""
    lines = [f"    {toml_value(value)},\n" for value in values]
    return f"[\n{''.join(lines)}]" if lines else "[]"
