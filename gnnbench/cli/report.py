"""`gnnbench report`: render documents made anywhere, on a machine that needs neither torch nor a GPU."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

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
    type=click.Path(path_type=Path),
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

    A document that can't be read is named, the others are still rendered, and the exit code is 4.
    """
    from gnnbench.report import terminal_verdict, write_reports

    summaries = []
    code = ExitCode.GOOD
    for path in documents:
        try:
            run = load(path / "run.json" if path.is_dir() else path)
        except (DocumentError, OSError) as error:
            click.echo(f"gnnbench: {error}", err=True)
            code = ExitCode.USAGE_ERROR
            continue
        folder = _folder(path, run, output, several=len(documents) > 1)
        written = write_reports(run, folder, charts=charts, formats=formats or _FORMATS)
        for file in written:
            click.echo(str(file), err=True)
        if len(documents) == 1 and json_to != "-":
            click.echo(terminal_verdict(run, folder), err=True)
        judged = verdict(run)
        summaries.append(
            {
                "document": str(path),
                "id": run.id,
                "exit_code": int(judged.exit_code),
                "headline": judged.headline,
                "reports": [str(file) for file in written],
            }
        )
    if json_to:
        text = json.dumps(summaries, indent=2) + "\n"
        if json_to == "-":
            click.echo(text, nl=False)
        else:
            write_atomically(json_to, text)
    return code


def _folder(path: Path, run: Run, output: Path | None, *, several: bool) -> Path:
    if output is None:
        return path if path.is_dir() else path.parent
    return output / run.id if several else output
