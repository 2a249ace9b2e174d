"""`gnnbench report`: render documents made anywhere, on a machine that needs neither torch nor a GPU."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gnnbench.cli.color import wants_color
from gnnbench.cli.complaints import of_system
from gnnbench.cli.documents import document_path, read
from gnnbench.cli.options import OneOf, charts_option, json_option
from gnnbench.record import DocumentError, ExitCode, Run, verdict, write_atomically

_FORMATS = ("html", "markdown", "junit")


@click.command(
    short_help="Render documents as HTML, Markdown and JUnit.",
    context_settings={"max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  gnnbench report reports/*/run.json\n"
    "  gnnbench report run.json --output public --format html",
)
@click.argument("documents", nargs=-1, required=True, metavar="RUN.json...", type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where to put the reports; a folder each where there are several.  [default: beside the document]",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=OneOf(_FORMATS),
    help="Only this format; again for more.  [default: all]",
)
@charts_option
@json_option("what the runs amount to, as JSON,")
def report(
    documents: Sequence[Path], output: Path | None, formats: Sequence[str], charts: bool, json_to: str | None
) -> int:
    """Render Run documents as report.html, summary.md and junit.xml.

    Reports of a document that is not called run.json carry its name: a100.report.html.

    It prints where they are, and of a single document the verdict too.

    A document that can't be read is named, the others are still rendered, and the exit code is 4.
    """
    from gnnbench.report import file_names, terminal_verdict, write_reports

    summaries: list[dict[str, Any]] = []
    places = _Places(output, several=len(documents) > 1)
    to_stderr = json_to == "-"
    color = wants_color(sys.stderr if to_stderr else sys.stdout)
    code = ExitCode.GOOD
    for path in map(document_path, documents):
        try:
            run = read(path)
            folder, names = places.of(path, run), file_names("run.json" if output else path.name)
            written = write_reports(run, folder, charts=charts, formats=formats or _FORMATS, names=names)
        except (DocumentError, OSError) as error:
            click.echo(f"gnnbench: {of_system(error)}", err=True)
            code = ExitCode.USAGE_ERROR
            continue
        for file in written:
            click.echo(str(file), err=to_stderr)
        if len(documents) == 1:
            page = folder / names["html"]
            told = terminal_verdict(run, page if page in written else None, color=color)
            click.echo(told, err=to_stderr, color=color)
        summaries.append(_summary(path, run, written))
    if to_stderr:
        click.echo(json.dumps(summaries, indent=2))
    elif json_to:
        write_atomically(json_to, json.dumps(summaries, indent=2) + "\n")
    return code


class _Places:
    """Gives each document a folder, and no two documents one."""

    def __init__(self, output: Path | None, *, several: bool) -> None:
        self._output = output
        self._several = several
        self._taken: set[str] = set()

    def of(self, path: Path, run: Run) -> Path:
        if self._output is None:
            return path.parent
        if not self._several:
            return self._output
        # The id comes from a document that anybody may have written: it must not lead out of the folder.
        stem = re.sub(r"[^\w.-]", "_", run.id, flags=re.ASCII).lstrip(".") or "run"
        number, name = 1, stem
        while name in self._taken:
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(name)
        return self._output / name


def _summary(path: Path, run: Run, written: Sequence[Path]) -> dict[str, Any]:
    judged = verdict(run)
    return {
        "document": str(path),
        "id": run.id,
        "exit_code": int(judged.exit_code),
        "headline": judged.headline,
        "reports": [str(file) for file in written],
    }
