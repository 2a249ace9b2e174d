"""`gnnbench report`: render documents made anywhere, on a machine that needs neither torch nor a GPU."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gnnbench.cli.sinks import require_writable
from gnnbench.record import DocumentError, ExitCode, Run, load, verdict, write_atomically

_FORMATS = ("html", "markdown", "junit")


@click.command(
    context_settings={"max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  gnnbench report reports/*/run.json\n"
    "  gnnbench report run.json --output public --format html",
)
@click.argument("documents", nargs=-1, required=True, metavar="RUN.json...", type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to put the reports; a folder each where there are several.  [default: beside the document]",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(_FORMATS),
    help="Only this format; again for more.  [default: all]",
)
@click.option("--charts/--no-charts", default=True, help="Draw figures (needs the report extra).")
@click.option(
    "--json", "json_to", metavar="PATH|-", help="Also write what the runs amount to as JSON; `-` is stdout."
)
def report(
    documents: Sequence[Path], output: Path | None, formats: Sequence[str], charts: bool, json_to: str | None
) -> int:
    """Render Run documents as report.html, summary.md and junit.xml.

    Reports of a document that is not called run.json carry its name: a100.report.html.

    A document that can't be read is named, the others are still rendered, and the exit code is 4.
    """
    require_writable(json_to)
    from gnnbench.report import file_names, terminal_verdict, write_reports

    summaries: list[dict[str, Any]] = []
    places = _Places(output, several=len(documents) > 1)
    code = ExitCode.GOOD
    for path in (path / "run.json" if path.is_dir() else path for path in documents):
        try:
            run = load(path)
            folder, names = places.of(path, run), file_names("run.json" if output else path.name)
            written = write_reports(run, folder, charts=charts, formats=formats or _FORMATS, names=names)
        except (DocumentError, OSError) as error:
            click.echo(f"gnnbench: {' '.join(str(error).split())}", err=True)
            code = ExitCode.USAGE_ERROR
            continue
        for file in written:
            click.echo(str(file), err=True)
        if len(documents) == 1 and json_to != "-":
            page = folder / names["html"]
            click.echo(terminal_verdict(run, page if page in written else None), err=True)
        summaries.append(_summary(path, run, written))
    if json_to == "-":
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
