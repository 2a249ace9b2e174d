"""Reading and writing the Run document, `run.json`.

Format history, newest last. A new entry is a new number in `"schema"`; `_UPGRADES` must then hold the
step from the number before, so that every older document still loads. Adding an optional field needs
no new number: readers keep what they do not know.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from gnnbench.record.codec import DocumentError, decode, encode
from gnnbench.record.run import Run

SCHEMA_NAME = "gnnbench.run"
SCHEMA_VERSION = 1

#: (schema, date, what changed): written into every document.
FORMAT_HISTORY: tuple[tuple[str, str, str], ...] = (
    ("gnnbench.run/1", "2026-11-24", "first format: environment, results with margins and measurements"),
)

#: version → what turns a document of that version into the next one.
_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def dumps(run: Run) -> str:
    """The document as text: strict JSON, UTF-8 safe, one trailing newline."""
    head = {
        "schema": f"{SCHEMA_NAME}/{SCHEMA_VERSION}",
        "format_history": [
            {"schema": schema, "date": date, "change": change} for schema, date, change in FORMAT_HISTORY
        ],
    }
    body = {**head, **encode(run), **head}
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def loads(text: str, name: str = "document") -> Run:
    """Read a document of this or any older version.

    Raises `DocumentError` when `text` is not JSON, not a Run document, or newer than this gnnbench.
    """
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise DocumentError(f"{name}: expected a Run document, found JSON nested too deeply") from None
    except ValueError as error:
        raise DocumentError(
            f"{name}: expected a Run document, found what is not strict JSON: {error}; name the run.json of a run"
        ) from None
    if not isinstance(data, dict):
        raise DocumentError(
            f"{name}: expected a JSON object, found {type(data).__name__}; name the run.json of a run"
        )
    data = _upgrade(data, name)
    data.pop("schema")
    data.pop("format_history", None)
    try:
        return decode(Run, data)
    except DocumentError as error:
        raise DocumentError(f"{name}: {error}; it was cut or altered since it was written") from None


def load(path: str | os.PathLike[str]) -> Run:
    """Read the document at `path`; raises `DocumentError`, or `OSError` where it can't be read."""
    raw = Path(path).read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"{path}: expected UTF-8 text, found a byte that is not at {error.start}; name the run.json of a run"
        ) from None
    return loads(text, str(path))


def save(run: Run, path: str | os.PathLike[str]) -> None:
    """Write the document so that `path` always holds either the old document or the whole new one."""
    write_atomically(path, dumps(run))


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Replace the file at `path` by `text`, or leave it untouched.

    The text goes to a temporary file in the same folder, is flushed to the disk, and takes the name in
    one step. A full disk raises `OSError` and leaves the old file.
    """
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            # A lone surrogate (an undecodable byte of a path or a log) becomes its JSON escape.
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a report is meant to be read by others, as umask allows.
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of the current version."""
    text = resources.files("gnnbench.record").joinpath(f"run-{SCHEMA_VERSION}.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _upgrade(data: dict[str, Any], name: str) -> dict[str, Any]:
    schema = data.get("schema")
    family, _, number = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if family != SCHEMA_NAME or not number.isascii() or not number.isdigit() or len(number) > 9:
        raise DocumentError(
            f'{name}: expected "schema": "{SCHEMA_NAME}/N", found {schema!r:.80}; name the run.json of a run'
        )
    version = int(number)
    if version > SCHEMA_VERSION:
        raise DocumentError(
            f"{name}: made by a newer gnnbench: expected {SCHEMA_NAME}/{SCHEMA_VERSION} or older, "
            f"found {schema}; upgrade gnnbench to read it"
        )
    while version < SCHEMA_VERSION:
        if version not in _UPGRADES:
            raise DocumentError(f"{name}: there never was a {SCHEMA_NAME}/{version}")
        data = _UPGRADES[version](data)
        version += 1
    return data


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"the literal {constant} is not JSON")


def _umask() -> int:
    # The only portable way to read it is to set it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; some file systems refuse to sync folders, and that is no loss."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # not supported here: the content is on disk, only the rename may be lost with the power
    finally:
        os.close(descriptor)
