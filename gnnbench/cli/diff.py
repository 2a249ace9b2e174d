"""`gnnbench diff`: two images side by side, from the documents that their runs left."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click

from gnnbench.cli.color import wants_color
from gnnbench.cli.documents import document_path, read
from gnnbench.cli.options import json_option
from gnnbench.record import ExitCode, write_atomically

#: Of a file or a pipe, which have no width.
_WIDTH = 100


@click.command(
    short_help="Say what differs between two images.",
    context_settings={"max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  gnnbench diff reports/20261124T081502Z-3fa9c1 reports/20261125T034112Z-4bb2d3\n"
    "  gnnbench diff old.json new.json --output public\n"
    "  gnnbench diff old.json new.json --exit-code --json -",
)
@click.argument("a", metavar="A.json", type=click.Path(path_type=Path))
@click.argument("b", metavar="B.json", type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Also write diff.html and diff.md there.",
)
@click.option(
    "--exit-code", is_flag=True, help="Exit with 1 where they differ, as `git diff --exit-code` does."
)
@json_option("what differs, as JSON,")
def diff(a: Path, b: Path, output: Path | None, exit_code: bool, json_to: str | None) -> int:
    """Say what differs between two images, what matters most first, and what is known to follow.

    A and B are Run documents, or the folders of two runs. What can break stands first, then what can change results, then
    what can change speed, then every other change, then what differs between two runs of one image too. Facts that only
    one document has recorded are no change.

    The exit code is 0 also where they differ, unless --exit-code asks otherwise. Timings are not compared.
    """
    from gnnbench.history import compare
    from gnnbench.report.diff import diff_summary, render_diff_text, write_diff

    paths = document_path(a), document_path(b)
    names = str(paths[0]), str(paths[1])
    difference = compare(read(paths[0]), read(paths[1]))
    to_stderr = json_to == "-"
    stream = sys.stderr if to_stderr else sys.stdout
    color = wants_color(stream)
    width = shutil.get_terminal_size().columns if stream is not None and stream.isatty() else _WIDTH
    click.echo(render_diff_text(difference, names, color=color, width=width), err=to_stderr, color=color)
    if output is not None:
        for file in write_diff(difference, names, output):
            click.echo(str(file), err=to_stderr)
    if json_to is not None:
        text = json.dumps(diff_summary(difference, names), indent=2, allow_nan=False) + "\n"
        if to_stderr:
            click.echo(text, nl=False)
        else:
            write_atomically(json_to, text)
    return ExitCode.CHECK_FAILED if exit_code and difference.differ else ExitCode.GOOD
