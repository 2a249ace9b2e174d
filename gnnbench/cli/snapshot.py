"""`gnnbench snapshot`: from a good image the contract that others are held to."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gnnbench.checks.suites import suites_folder
from gnnbench.cli.color import wants_color
from gnnbench.cli.conduct import conduct
from gnnbench.cli.documents import document_path, read
from gnnbench.cli.options import devices_option, pytest_arguments
from gnnbench.contract import snapshot as contract_of
from gnnbench.record import ExitCode, Invocation, Run, verdict, write_atomically

#: What the image is asked where no document was named.
_SUITE, _TIER = "environment", "smoke"


@click.command(
    short_help="Write a contract from a good image.",
    context_settings={"max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  gnnbench snapshot -o contract.toml\n"
    "  gnnbench snapshot reports/20261124T081502Z-3fa9c1/run.json -o contract.toml\n"
    "  gnnbench run --contract contract.toml",
)
@click.argument("document", required=False, metavar="[RUN.json]", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    metavar="FILE|-",
    default="-",
    show_default=True,
    help="Where to write the contract; `-` is stdout.",
)
@click.option(
    "--force", is_flag=True, help="Write over a file that is there, and from a run that was not good."
)
@click.option(
    "--reports",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where the run's own folder is made, without a document.",
)
@devices_option("every GPU, else cpu")
@pytest_arguments
def snapshot(
    document: Path | None,
    target: str,
    force: bool,
    reports: Path,
    devices: Sequence[str],
    pytest_args: Sequence[str],
) -> int:
    """Write a contract: what this image provides, for other images to be held to.

    From the document of a run, made anywhere; without one it first runs the environment suite, tier smoke, here. A run
    that was not good is refused, with its own exit code.

    Edit what comes out: it is as strict as it can be. docs/contracts.md describes each table.
    """
    _require_free(target, force=force)
    if document is None:
        ended = _run_here(devices, reports, pytest_args)
        if isinstance(ended, int):
            return ended
        run, path = ended
    else:
        path = document_path(document)
        run = read(path)
        for words, option in ((devices, "--device"), (pytest_args, "--")):
            if words:
                raise click.BadParameter(
                    f"expected no device and no words for pytest beside a document, found {' '.join(words)!r}",
                    param_hint=option,
                )
    judged = verdict(run)
    if not judged.good and not force:
        _refuse(run, path, told=document is None)
        return int(judged.exit_code)
    text = contract_of(run)
    if target == "-":
        click.echo(text, nl=False)
    else:
        write_atomically(target, text)
        click.echo(
            f"{target}: a contract made from {path}; hold an image to it with gnnbench run --contract {target}",
            err=True,
        )
    return ExitCode.GOOD


def _require_free(target: str, *, force: bool) -> None:
    """Refuse a file that can't or must not be written, before the work and not after it."""
    path = Path(target)
    if target == "-":
        return
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise click.BadParameter(
            f"expected a file in a folder that can be written to, found {target!r}", param_hint="--output"
        )
    if path.exists() and not force:
        raise click.BadParameter(
            f"expected a file that is not there yet, found {target!r}; --force writes over it",
            param_hint="--output",
        )


def _run_here(devices: Sequence[str], reports: Path, pytest_args: Sequence[str]) -> tuple[Run, Path] | int:
    invocation = Invocation(argv=("gnnbench", *sys.argv[1:]), tier=_TIER, suites=(_SUITE,))
    options = [f"--gnnbench-suite={_SUITE}", *(f"--gnnbench-device={name}" for name in devices)]
    ended = conduct(
        invocation,
        [suites_folder() / _SUITE],
        options,
        pytest_args=pytest_args,
        output=reports,
        charts=False,
    )
    if isinstance(ended, int):
        return ended
    run, folder = ended
    return run, folder / "run.json"


def _refuse(run: Run, path: Path, *, told: bool) -> None:
    """Say why there is no contract; `told`: whether the whole verdict is news."""
    if told:
        from gnnbench.report import terminal_verdict

        color = wants_color(sys.stderr)
        click.echo(terminal_verdict(run, path.parent, color=color), err=True, color=color)
    click.echo(
        f"gnnbench: {path}: expected a good run to make a contract from, found: {verdict(run).headline}; mend what it "
        "found, or write it all the same with --force",
        err=True,
    )
