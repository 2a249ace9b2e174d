"""Where a command's words and documents go, and what becomes of it where one of these places can't take them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click


def require_writable(json_to: str | None) -> None:
    """Refuse a `--json` that can't be written, before the work and not after it; raises `click.BadParameter`."""
    if json_to in (None, "-"):
        return
    path = Path(str(json_to))
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise click.BadParameter(
            f"expected a file in a folder that can be written to, found {json_to!r}", param_hint="--json"
        )


def make_folder(folder: Path) -> Path:
    """Make a run's own folder; raises `click.BadParameter` where `--output` does not let it."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise click.BadParameter(
            f"expected a folder that can be written to, found {str(folder.parent)!r}: {error.strerror}",
            param_hint="--output",
        ) from None
    return folder


@contextmanager
def sink(name: str) -> Iterator[None]:
    """A failure to write here is a line on stderr: the exit code says what the run found, and nothing else."""
    try:
        yield
    except BrokenPipeError:
        pass  # whoever read it has seen enough
    except OSError as error:
        with suppress(OSError):
            click.echo(f"gnnbench: {name}: {error.strerror or error}", err=True)
