"""The files a run leaves beside its document."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

from gnnbench.record import Run, write_atomically
from gnnbench.report.html import render_html
from gnnbench.report.junit import render_junit
from gnnbench.report.markdown import render_markdown

#: format → the file's name beside `run.json`.
FORMATS: Mapping[str, str] = {"html": "report.html", "junit": "junit.xml", "markdown": "summary.md"}


def file_names(document: str = "run.json") -> dict[str, str]:
    """format → file name, for a document of that name.

    Two documents in one folder must not overwrite each other's reports: beside `a100.json` they are
    `a100.report.html` and so on.
    """
    stem = document.removesuffix(".json")
    prefix = "" if stem == "run" else f"{stem}."
    return {name: prefix + file for name, file in FORMATS.items()}


def write_reports(
    run: Run,
    folder: str | os.PathLike[str],
    *,
    charts: bool = True,
    formats: Collection[str] = tuple(FORMATS),
    names: Mapping[str, str] = FORMATS,
) -> list[Path]:
    """Write the reports of `run` into `folder`, which is made where it is lacking, and return their paths.

    Each file is either the old one or the whole new one. Raises `OSError` where one can't be written,
    and `KeyError` for a format that there is not.
    """
    render: dict[str, Callable[[Run], str]] = {
        "html": partial(render_html, charts=charts),
        "junit": render_junit,
        "markdown": render_markdown,
    }
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name in formats:
        path = target / names[name]
        write_atomically(path, render[name](run))
        written.append(path)
    return written
