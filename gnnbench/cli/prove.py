"""`gnnbench prove`: plant each fault of the catalogue, and see that the suites catch it."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import get_args

import click

from gnnbench.checks.recorder import new_run_id
from gnnbench.cli.color import wants_color
from gnnbench.cli.options import Number, OneOf, run_options, spelt
from gnnbench.cli.proof_document import ProofDocument
from gnnbench.cli.sinks import make_folder, sink
from gnnbench.faults import Area, Fault, Proof, catalogue
from gnnbench.faults import prove as plant_all
from gnnbench.record import ExitCode, Run, dumps, save

_TITLE = 58


@click.command(
    short_help="Plant known faults, and see them caught.",
    context_settings={"max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  gnnbench prove\n"
    "  gnnbench prove F17 F20b\n"
    "  gnnbench prove --area GRAD --json -\n"
    "  gnnbench prove --list",
)
@click.argument("faults", nargs=-1, metavar="[FAULT...]")
@click.option(
    "--area",
    "areas",
    multiple=True,
    type=OneOf(get_args(Area)),
    help="Only faults of this area; again for more.",
)
@click.option(
    "--jobs",
    type=Number(int, "a whole number of at least 1", lambda number: number >= 1),
    metavar="N",
    default=os.cpu_count() or 1,
    show_default="one a core",
    help="How many faults are planted at a time.",
)
@click.option(
    "--catalogue",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A folder with faults of your own, one file f*.py each; again for more.",
)
@click.option(
    "--timeout",
    type=Number(float, "seconds, more than 0", lambda number: 0 < number < math.inf),
    metavar="SECONDS",
    default=300.0,
    show_default=True,
    help="Seconds that one run against a fault may take.",
)
@click.option("--list", "only_list", is_flag=True, help="Say what is in the catalogue, and plant nothing.")
@run_options("run")
def prove(
    faults: Sequence[str],
    areas: Sequence[str],
    jobs: int,
    folders: Sequence[Path],
    timeout: float,
    only_list: bool,
    output: Path,
    json_to: str | None,
) -> int:
    """Plant the faults of the catalogue one by one, and show that the suites catch each of them.

    A fault is proved where every check that owes it turns red on it, and green on its clean twin: the same
    machinery without the defect. A harmless difference is proved where all stays green. It needs no GPU, and leaves
    run.json and report.html as a run does.

    Areas: EQ forward results, GRAD gradients, DET reproducibility, DATA loading, AMP precision, ENV libraries and driver,
    DEV devices and their health, MEM memory, DIST collectives.

    Exit code 1 where a fault is not caught or a clean twin is red.
    """
    chosen = _choose(faults, areas, folders)
    if only_list:
        for fault in chosen:
            click.echo(f"{fault.id:<5} {'+'.join(fault.areas):<8} {fault.title}")
            click.echo(f"      {', '.join(fault.sources)} -> {', '.join(fault.caught_by)}")
        return ExitCode.GOOD
    document = ProofDocument(make_folder(output.resolve() / new_run_id()), chosen)
    to_stderr = json_to == "-"
    color = wants_color(sys.stderr if to_stderr else sys.stdout)
    ended_by, crashed = "", False
    # SIGTERM ends it as Ctrl-C does: with what is known by then.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for proof in plant_all(
            chosen, folders=folders, jobs=jobs, timeout=timeout, on_machine=document.describe
        ):
            document.add(proof)
            with sink("the terminal"):
                click.echo(_line(proof, color=color), err=to_stderr)
    except KeyboardInterrupt:
        ended_by = "Ctrl-C or SIGTERM"
    except RuntimeError as error:
        ended_by, crashed = str(error), True
    finally:
        signal.signal(signal.SIGTERM, before)
    run = document.close(ended_by, crashed=crashed)
    _write_reports(run, document.folder)
    with sink("the terminal"):
        click.echo(_score(document, ended_by, crashed=crashed), err=to_stderr)
        click.echo(f"Report  {document.folder / 'report.html'}", err=to_stderr)
    with sink(f"--json {json_to}"):
        if to_stderr:
            click.echo(dumps(run), nl=False)
        elif json_to:
            save(run, json_to)
    return run.exit_code or 0


def _choose(names: Sequence[str], areas: Sequence[str], folders: Sequence[Path]) -> list[Fault]:
    for folder in folders:
        if not folder.is_dir():
            raise click.BadParameter(
                f"expected a folder of faults, found nothing at {str(folder)!r}", param_hint="--catalogue"
            )
    try:
        known = catalogue(folders)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--catalogue") from None
    chosen = [known[_id(name, known)] for name in dict.fromkeys(names)] or list(known.values())
    chosen = [fault for fault in dict.fromkeys(chosen) if not areas or set(areas) & set(fault.areas)]
    if not chosen:
        raise click.BadParameter(
            f"expected an area that one of the faults is in, found {', '.join(areas)}", param_hint="--area"
        )
    return chosen


def _id(name: str, known: Collection[str]) -> str:
    try:
        return spelt(name, tuple(known))
    except click.BadParameter:
        raise click.BadParameter(
            f"expected an id of the catalogue, such as {next(iter(known))}, found {name!r}; "
            "gnnbench prove --list says what there is",
            param_hint="FAULT",
        ) from None


def _line(proof: Proof, *, color: bool) -> str:
    good = "harmless" if proof.fault.harmless else "caught"
    word, shade = (good, "green") if proof.proved else ("NOT PROVED", "red")
    title = proof.fault.title if len(proof.fault.title) <= _TITLE else proof.fault.title[: _TITLE - 1] + "…"
    owing = [check for check in proof.fault.caught_by if check in proof.caught]
    more = len(proof.caught) - len(owing)
    by = ", ".join(check.partition("/")[2] for check in owing) + (f" and {more} more" if more else "")
    word = click.style(f"{word:<10}", fg=shade) if color else f"{word:<10}"
    line = f"{proof.fault.id:<5} {title:<{_TITLE}} {word} {proof.seconds:>5.1f} s"
    detail = (
        f"by {by}; twin green" if by and proof.proved else proof.describe() or "all green, and the twin too"
    )
    return f"{line}\n      {detail}"


def _score(document: ProofDocument, ended_by: str, *, crashed: bool) -> str:
    proofs = document.proofs
    faults = [proof for proof in proofs if not proof.fault.harmless]
    others = [proof for proof in proofs if proof.fault.harmless]
    caught = sum(not (proof.missed or proof.unexplained or proof.problem) for proof in faults)
    green = sum(not proof.twin_red and not proof.problem for proof in proofs)
    words = [f"{caught} of {len(faults)} faults caught"] if faults or not others else []
    if others:
        words.append(
            f"{sum(proof.proved for proof in others)} of {len(others)} harmless differences let pass"
        )
    words.append(f"{green} of {len(proofs)} clean twins green, in {document.seconds:.0f} s")
    good = all(proof.proved for proof in proofs)
    early = f"CRASHED: {ended_by}" if crashed else f"INTERRUPTED by {ended_by}"
    word = early if ended_by else "GOOD" if good else "NOT GOOD"
    return f"{word}: {', '.join(words)}"


def _write_reports(document: Run, folder: Path) -> None:
    from gnnbench.report import write_reports

    write_reports(document, folder, charts=False)
