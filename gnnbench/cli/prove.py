"""`gnnbench prove`: plant each fault of the catalogue, and see that the suites catch it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from gnnbench import __version__
from gnnbench.checks.recorder import new_run_id, now
from gnnbench.cli.color import wants_color
from gnnbench.faults import Area, Fault, Proof, catalogue
from gnnbench.faults import prove as plant_all
from gnnbench.record import (
    Environment,
    ExitCode,
    Finding,
    Invocation,
    Outcome,
    Result,
    Run,
    RunState,
    dumps,
    save,
)
from gnnbench.report.proofs import SUITE

_TITLE = 58


@click.command(
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
    type=click.Choice(get_args(Area)),
    help="Only faults of this area; again for more.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="one a core",
    help="How many faults are planted at a time.",
)
@click.option(
    "--catalogue",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with faults of your own, one file f*.py each; again for more.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds that one run against a fault may take.",
)
@click.option("--list", "only_list", is_flag=True, help="Say what is in the catalogue, and plant nothing.")
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where the run's own folder is made.",
)
@click.option("--json", "json_to", metavar="PATH|-", help="Also write the document here; `-` is stdout.")
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
    machinery without the defect. It needs no GPU, and leaves run.json and report.html as a run does.

    Exit code 1 where a fault is not caught or a clean twin is red.
    """
    chosen = _choose(faults, areas, folders)
    if only_list:
        for fault in chosen:
            click.echo(f"{fault.id:<5} {'+'.join(fault.areas):<8} {fault.title}")
            click.echo(f"      {', '.join(fault.sources)} -> {', '.join(fault.caught_by)}")
        return ExitCode.GOOD
    begin, started = time.monotonic(), now()
    folder = _make_folder(output.resolve() / new_run_id())
    to_stderr = json_to == "-"
    proofs: list[Proof] = []
    machines: list[Environment] = []
    for proof in plant_all(chosen, folders=folders, jobs=jobs, timeout=timeout, on_machine=machines.append):
        proofs.append(proof)
        click.echo(_line(proof, color=wants_color(sys.stderr if to_stderr else sys.stdout)), err=to_stderr)
    machine = machines[0] if machines else Environment()
    document = _document(folder.name, started, time.monotonic() - begin, machine, proofs)
    save(document, folder / "run.json")
    _write_reports(document, folder)
    click.echo(_score(proofs, time.monotonic() - begin), err=to_stderr)
    click.echo(f"Report  {folder / 'report.html'}", err=to_stderr)
    if to_stderr:
        click.echo(dumps(document), nl=False)
    elif json_to:
        save(document, json_to)
    return document.exit_code or 0


def _choose(names: Sequence[str], areas: Sequence[str], folders: Sequence[Path]) -> list[Fault]:
    try:
        known = catalogue(folders)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--catalogue") from None
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(
            f"expected ids of the catalogue ({', '.join(known)}), found {', '.join(unknown)}",
            param_hint="FAULT",
        )
    chosen = [known[name] for name in dict.fromkeys(names)] or list(known.values())
    chosen = [fault for fault in chosen if not areas or set(areas) & set(fault.areas)]
    if not chosen:
        raise click.BadParameter(
            "expected an area that one of the faults is in, found none", param_hint="--area"
        )
    return chosen


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise click.BadParameter(
            f"expected a folder that can be written to, found {error}", param_hint="--output"
        ) from None
    return folder


def _line(proof: Proof, *, color: bool) -> str:
    good = "harmless" if proof.fault.harmless else "caught"
    word, shade = (good, "green") if proof.proved else ("NOT PROVED", "red")
    title = proof.fault.title if len(proof.fault.title) <= _TITLE else proof.fault.title[: _TITLE - 1] + "…"
    by = ", ".join(check.partition("/")[2] for check in proof.caught)
    word = click.style(f"{word:<10}", fg=shade) if color else f"{word:<10}"
    line = f"{proof.fault.id:<5} {title:<{_TITLE}} {word} {proof.seconds:>5.1f} s"
    detail = (
        f"by {by}; twin green" if by and proof.proved else proof.describe() or "all green, and the twin too"
    )
    return f"{line}\n      {detail}"


def _score(proofs: Sequence[Proof], seconds: float) -> str:
    proved = sum(proof.proved for proof in proofs)
    green = sum(not proof.twin_red and not proof.problem for proof in proofs)
    caught = sum(not proof.missed and not proof.problem for proof in proofs)
    # A harmless difference that leaves all green counts as caught: what it must be told from is a fault.
    return (
        f"{'GOOD' if proved == len(proofs) else 'NOT GOOD'}: {caught} of {len(proofs)} faults caught, "
        f"{green} of {len(proofs)} clean twins green, in {seconds:.0f} s"
    )


def _document(
    run_id: str, started: str, seconds: float, machine: Environment, proofs: Sequence[Proof]
) -> Run:
    results = tuple(_result(proof) for proof in sorted(proofs, key=lambda proof: proof.fault.id))
    return Run(
        id=run_id,
        state=RunState.COMPLETE,
        started_at=started,
        finished_at=now(),
        duration_s=round(seconds, 3),
        gnnbench=__version__,
        invocation=Invocation(
            argv=("gnnbench", *sys.argv[1:]), tier="smoke", suites=(SUITE,), devices=("cpu",)
        ),
        environment=machine,
        results=results,
        collected=len(results),
        exit_code=ExitCode.GOOD if all(proof.proved for proof in proofs) else ExitCode.CHECK_FAILED,
    )


def _result(proof: Proof) -> Result:
    fault = proof.fault
    finding = None
    if not proof.proved:
        finding = Finding(
            summary=f"{fault.id}: {proof.describe()}",
            expected=f"green in {', '.join(fault.caught_by)}, for it is no fault"
            if fault.harmless
            else f"red in {', '.join(fault.caught_by)}, and green there on the clean twin",
            found=f"red in {', '.join(proof.caught) or 'nothing'}; on the twin, red in "
            f"{', '.join(proof.twin_red) or 'nothing'}",
            cause="a check that lost its teeth, or one that cries wolf",
            fix=f"run `gnnbench prove {fault.id}` alone, then see gnnbench/faults/catalogue for how it is planted",
        )
    first = proof.first
    return Result(
        id=f"{SUITE}/{'_'.join(fault.areas).lower()}/{fault.id}",
        suite=SUITE,
        tier=fault.tier,
        outcome=Outcome.PASSED if proof.proved else Outcome.FAILED,
        title=fault.title,
        device="cpu",
        duration_s=proof.seconds,
        finding=finding,
        catches=(fault.id,),
        facts={
            "symptom": fault.symptom,
            "sources": list(fault.sources),
            "caught_by": list(proof.caught),
            "said": first.finding.summary if first is not None and first.finding is not None else "",
            "likely_cause": first.finding.cause if first is not None and first.finding is not None else "",
        },
    )


def _write_reports(document: Run, folder: Path) -> None:
    from gnnbench.report import write_reports

    write_reports(document, folder, charts=False)
