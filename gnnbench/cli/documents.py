"""Documents named on a command line."""

from __future__ import annotations

from pathlib import Path

from gnnbench.record import DocumentError, Run, load


def document_path(named: Path) -> Path:
    """The document itself, where the folder of a run was named."""
    return named / "run.json" if named.is_dir() else named


def read(path: Path) -> Run:
    """The document at `path`; raises `DocumentError`, also where there is none."""
    try:
        return load(path)
    except OSError as error:
        raise DocumentError(
            f"{path}: expected a Run document, found none: {error.strerror}; name the run.json of a run, or its folder"
        ) from None
