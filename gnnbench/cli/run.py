"""`gnnbench run`: run the suites, leave a document and its reports, say the verdict."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gnnbench import __version__
from gnnbench.checks.controller import lost_check
from gnnbench.checks.declaration import TIERS
from gnnbench.checks.recorder import new_run_id, now
from gnnbench.checks.requirement import parse_requirement
from gnnbench.checks.suites import PYTEST_INI, suite_names, suites_folder
from gnnbench.cli.child import PytestChild
from gnnbench.cli.color import wants_color
from gnnbench.cli.progress import Progress
from gnnbench.record import ExitCode, Invocation, Result, Run, RunState, dumps, load, save
from gnnbench.record.codec import decode

#: pytest options that need the terminal for themselves, or print something else than a run.
_NEED_TERMINAL = (
    "-s",
    "--capture=no",
    "--pdb",
    "--trace",
    "-v",
    "-vv",
    "--co",
    "--collect-only",
    "--fixtures",
    "--markers",
    "-h",
    "--help",
    "--version",
    "-V",
)


@click.command(
    context_settings={"max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  gnnbench run\n"
    "  gnnbench run --tier smoke --require cuda:2\n"
    "  gnnbench run --suite environment,equivalence -k csr\n"
    "  gnnbench run -- -n 2 -x",
)
@click.option(
    "--tier",
    type=click.Choice(TIERS),
    default="standard",
    show_default=True,
    help="How much to run: a minute, five, fifteen, an hour and more on one GPU.",
)
@click.option(
    "--suite", "suites", multiple=True, metavar="NAME", help="Only this suite; again or with commas for more."
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME",
    help="cpu, cuda, cuda:N; again or with commas for more.  [default: every GPU, else cpu]",
)
@click.option(
    "--require",
    "require",
    multiple=True,
    metavar="WHAT",
    help="What must be there: cuda, cuda:N, dataset:NAME, package:NAME. Its lack fails, with exit code 12.",
)
@click.option(
    "-k", "keyword", default="", metavar="EXPR", help="Only checks whose name matches, as pytest's -k."
)
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of data sets (Cora/raw/...).  [default: $GNNBENCH_DATA, else a synthetic stand-in]",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where the run's own folder is made.",
)
@click.option("--json", "json_to", metavar="PATH|-", help="Also write the document here; `-` is stdout.")
@click.option(
    "--charts/--no-charts", default=True, help="Draw figures into the report (needs the report extra)."
)
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- PYTEST_ARGS]")
def run(
    tier: str,
    suites: Sequence[str],
    devices: Sequence[str],
    require: Sequence[str],
    keyword: str,
    data: Path | None,
    output: Path,
    json_to: str | None,
    charts: bool,
    pytest_args: Sequence[str],
) -> int:
    """Judge this machine and image, and leave run.json, report.html, junit.xml and summary.md.

    Everything after `--` goes to pytest.
    """
    suites, devices, require = _words(suites), _words(devices), _words(require)
    _validate(suites, require, data)
    run_id = new_run_id()
    folder = output.resolve() / run_id
    invocation = Invocation(
        argv=tuple(sys.argv[1:]), tier=tier, suites=tuple(suites), require=tuple(require), keyword=keyword
    )
    blank = Run(
        id=run_id, state=RunState.RUNNING, started_at=now(), gnnbench=__version__, invocation=invocation
    )
    _make_folder(folder, blank)

    command = [
        sys.executable,
        "-m",
        "pytest",
        str(suites_folder()),
        f"--rootdir={suites_folder()}",
        "-c",
        str(PYTEST_INI),
    ]
    command += [
        "-p",
        "gnnbench.plugin",
        "-p",
        "no:cacheprovider",
        "--continue-on-collection-errors",
        "--tb=short",
    ]
    command += [
        f"--gnnbench-tier={tier}",
        f"--gnnbench-output={folder.parent}",
        f"--gnnbench-run-id={run_id}",
    ]
    command += [f"--gnnbench-suite={name}" for name in suites]
    command += [f"--gnnbench-device={name}" for name in devices]
    command += [f"--gnnbench-require={what}" for what in require]
    command += [f"--gnnbench-data={data.resolve()}"] if data else []
    command += ["-k", keyword] if keyword else []
    command += pytest_args

    bare = any(argument in _NEED_TERMINAL for argument in pytest_args)
    log = None if bare else folder / "pytest.log"
    warm = _warm_up_charts() if charts and not bare else None
    follower = _Follower(bare=bare)
    status = PytestChild(command, log).watch(follower.take)
    follower.close()
    finished = _finish(folder, follower, status, log)
    if finished is None:
        return status if status >= 0 else ExitCode.INTERNAL_ERROR
    if warm is not None:
        warm.join()
    _publish(finished, folder, json_to, charts=charts)
    return int(finished.exit_code or 0)


def _words(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(word for value in values for word in value.replace(",", " ").split()))


def _validate(suites: Sequence[str], require: Sequence[str], data: Path | None) -> None:
    known = suite_names()
    for name in suites:
        if name not in known:
            raise click.BadParameter(f"expected {', '.join(known)}, found {name!r}", param_hint="--suite")
    for what in require:
        try:
            parse_requirement(what)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--require") from None
    if data is not None and not data.is_dir():
        raise click.BadParameter(
            f"expected a folder of data sets, found nothing at {data}", param_hint="--data"
        )


def _make_folder(folder: Path, blank: Run) -> None:
    """Begin the document before anything under test is touched: even a crash at import leaves one."""
    try:
        folder.mkdir(parents=True)
        save(blank, folder / "run.json")
    except OSError as error:
        raise click.BadParameter(
            f"expected a folder that can be written to, found {error}", param_hint="--output"
        ) from None


def _warm_up_charts() -> threading.Thread:
    """Load the chart library beside the checks' own imports: on two cores the report then costs little."""
    from gnnbench.report import warm_up

    thread = threading.Thread(target=warm_up, daemon=True)
    thread.start()
    return thread


class _Follower:
    """Keeps what the child has said, for the screen now and for the document should the child die."""

    def __init__(self, *, bare: bool) -> None:
        self.results: list[dict[str, Any]] = []
        self.selected: list[str] = []
        self.running: dict[str, None] = {}
        self._progress = None if bare else Progress(sys.stderr, color=wants_color(sys.stderr))

    def take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "collected":
            self.selected = event["ids"]
        elif kind == "start":
            self.running[event["id"]] = None
        elif kind == "result":
            self.results.append(event["result"])
            self.running.pop(event["result"]["id"], None)
        if self._progress is None:
            return
        if kind == "collected":
            self._progress.selected(event["ids"])
        elif kind == "start":
            self._progress.started(event["id"])
        elif kind == "result":
            self._progress.finished(event["result"])

    def close(self) -> None:
        if self._progress is not None:
            self._progress.close()


def _finish(folder: Path, follower: _Follower, status: int, log: Path | None) -> Run | None:
    """The finished document; None where pytest never got to run (usage errors, `--collect-only`)."""
    path = folder / "run.json"
    document = load(path)
    if document.state is not RunState.RUNNING:
        return document
    if status in (ExitCode.USAGE_ERROR, ExitCode.GOOD) and not follower.selected:
        _explain_usage_error(log)
        _discard(folder)
        return None
    known = {result.id for result in document.results}
    heard = tuple(decode(Result, data) for data in follower.results if data["id"] not in known)
    why = _signal_name(status) if status < 0 else f"exit status {status}"
    lost = tuple(
        lost_check(check, document.invocation.tier, _tail(log), "", why) for check in follower.running
    )
    results = (*document.results, *heard, *lost)
    ended = {result.id for result in results}
    nothing = status == ExitCode.NO_CHECKS
    document = replace(
        document,
        state=RunState.COMPLETE if nothing else RunState.CRASHED,
        finished_at=now(),
        results=results,
        collected=max(len(follower.selected), len(results)),
        unfinished=tuple(check for check in follower.selected if check not in ended),
        ended_by="" if nothing else f"{why}{' in ' + lost[0].id if lost else ' outside any check'}",
        exit_code=status if status > 0 else ExitCode.CHECK_FAILED if lost else ExitCode.INTERNAL_ERROR,
    )
    save(document, path)
    return document


def _signal_name(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _tail(log: Path | None, lines: int = 60) -> str:
    if log is None or not log.is_file():
        return ""
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])


def _explain_usage_error(log: Path | None) -> None:
    wrong = [line for line in _tail(log).splitlines() if "ERROR" in line or "error:" in line]
    for line in wrong or _tail(log, 5).splitlines():
        click.echo(f"gnnbench: {line.removeprefix('ERROR: ')}", err=True)


def _discard(folder: Path) -> None:
    """Take away the folder of a run that never was: only what was put there a moment ago."""
    for name in ("run.json", "pytest.log"):
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()


def _publish(document: Run, folder: Path, json_to: str | None, *, charts: bool) -> None:
    from gnnbench.report import annotations, append_step_summary, terminal_verdict, write_reports

    write_reports(document, folder, charts=charts)
    if json_to == "-":
        click.echo(dumps(document), nl=False)
    elif json_to:
        save(document, json_to)
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        append_step_summary(document, Path(os.environ["GITHUB_STEP_SUMMARY"]))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations(document):
            click.echo(line, err=True)
    to_stderr = json_to == "-"
    color = wants_color(sys.stderr if to_stderr else sys.stdout)
    click.echo(terminal_verdict(document, folder, color=color), err=to_stderr, color=color)
