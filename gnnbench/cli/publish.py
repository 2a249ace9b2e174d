"""What a finished run is told as: the verdict, the document where it was asked for, and what GitHub shows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from gnnbench.cli.color import wants_color
from gnnbench.cli.sinks import sink
from gnnbench.record import Run, dumps, save


def publish(document: Run, folder: Path, json_to: str | None) -> None:
    """Say the verdict, then hand it on. A sink that is full, closed or not there takes nothing from the others."""
    from gnnbench.report import annotation_lines, append_step_summary, terminal_verdict

    to_stderr = json_to == "-"
    color = wants_color(sys.stderr if to_stderr else sys.stdout)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    with sink("the terminal"):
        click.echo(terminal_verdict(document, folder, color=color), err=to_stderr, color=color)
    with sink(f"--json {json_to}"):
        if json_to == "-":
            click.echo(dumps(document), nl=False)
        elif json_to:
            save(document, json_to)
    with sink(f"GITHUB_STEP_SUMMARY {summary}"):
        if summary:
            append_step_summary(document, Path(summary))
    with sink("GitHub's annotations"):
        if os.environ.get("GITHUB_ACTIONS") == "true":
            for line in annotation_lines(document):
                click.echo(line, err=True)
