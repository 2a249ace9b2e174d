"""`gnnbench replay`: run the graphs again on which a backend was wrong, and say what has become of each."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click

from gnnbench.checks.suites import suites_folder
from gnnbench.cli.conduct import conduct
from gnnbench.cli.documents import document_path, read
from gnnbench.cli.options import devices_option, pytest_arguments, run_options
from gnnbench.cli.publish import publish
from gnnbench.record import (
    REPLAYED,
    DocumentError,
    ExitCode,
    Invocation,
    Outcome,
    Result,
    Run,
    counterexamples,
)

_WORDS = {Outcome.PASSED: "passes now", Outcome.FAILED: "still fails"}


@click.command(
    short_help="Run recorded graphs again.",
    context_settings={"max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  gnnbench replay reports/20261124T081502Z-3fa9c1/run.json\n"
    "  gnnbench replay run.json --check 'equivalence/random/layer[csr-cuda:0]' --device cpu\n"
    "  gnnbench replay run.json -- -p my_plugin",
)
@click.argument("document", metavar="RUN.json", type=click.Path(path_type=Path))
@click.option("--check", "check", default="", metavar="ID", help="Only the graph of this check.")
@devices_option("where the graph was recorded")
@run_options("replay")
@pytest_arguments
def replay(
    document: Path,
    check: str,
    devices: Sequence[str],
    output: Path,
    json_to: str | None,
    pytest_args: Sequence[str],
) -> int:
    """Run the graphs again that a document has recorded, on the backends that were wrong on them.

    It leaves a document and reports of its own. The exit code is 1 where any graph still fails, 0 where none
    does, 5 where the document holds none, and 13 where one could not be judged here.

    Everything after `--` goes to pytest: `-p my_plugin` for a backend that comes from a plugin.
    """
    document = document_path(document)
    run = read(document)
    try:
        recorded = {result.id for result, _ in counterexamples(run)}
    except DocumentError as error:
        raise DocumentError(f"{document}: {error}; name a document as a run has left it") from None
    if not _something(run, document, recorded, check):
        return ExitCode.NO_CHECKS
    options = [
        f"--gnnbench-replay={document.resolve()}",
        *([f"--gnnbench-replay-check={check}"] if check else []),
        *(f"--gnnbench-device={name}" for name in devices),
    ]
    place = suites_folder() / "equivalence" / "replay.py"
    invocation = Invocation(argv=("gnnbench", *sys.argv[1:]), tier="smoke", suites=("equivalence",))
    ended = conduct(invocation, [place], options, pytest_args=pytest_args, output=output, charts=False)
    if isinstance(ended, int):
        return ended
    replayed, folder = ended
    for result in replayed.results:
        if REPLAYED in result.facts:
            click.echo("\n".join(_told(result)), err=json_to == "-")
    publish(replayed, folder, json_to)
    return int(replayed.exit_code or 0)


def _something(run: Run, document: Path, recorded: Collection[str], check: str) -> bool:
    """Whether there is a graph to replay; says so in one line where not.

    Raises `click.BadParameter` for a check that the document does not have.
    """
    if check and check not in {result.id for result in run.results}:
        known = ", ".join(sorted(recorded)) or "none that recorded a graph"
        raise click.BadParameter(
            f"expected a check of {document} ({known}), found {check!r}", param_hint="--check"
        )
    if recorded and (not check or check in recorded):
        return True
    click.echo(
        f"gnnbench: {document}: nothing to replay: "
        + (f"{check} recorded no graph" if check else "no check recorded a graph")
        + "; equivalence/random/layer records the graph on which a backend fails",
        err=True,
    )
    return False


def _told(result: Result) -> list[str]:
    """What has become of one graph."""
    name = result.facts[REPLAYED]
    word = _WORDS.get(result.outcome, "not judged")
    lines = [f"{word:<12} {name}"]
    worst: Any = result.facts.get("worst")
    if isinstance(worst, dict):
        lines.append(
            f"             {worst['quantity']} at {worst['where']}: expected {worst['expected']}, got {worst['got']}, "
            f"error {worst['error']}, bound {worst['bound']}"
        )
    elif result.finding is not None:
        lines.append(f"             {result.finding.summary}")
    return lines
