"""`gnnbench run`: run the suites, leave a document and its reports, say the verdict."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from gnnbench import __version__
from gnnbench.checks.declaration import TIERS
from gnnbench.checks.recorder import new_run_id, now
from gnnbench.checks.requirement import parse_requirement
from gnnbench.checks.suites import REQUIRED, pytest_options, suite_names, suites_folder
from gnnbench.cli.child import PytestChild
from gnnbench.cli.color import wants_color
from gnnbench.cli.follower import Follower, finish, tail
from gnnbench.cli.sinks import require_writable, sink
from gnnbench.record import ExitCode, Invocation, Run, RunState, dumps, load, save

#: `python -m pytest`, but with the folder it is called from last on the path and not first: a plugin of the
#: user's is found there, and a folder `torch` (in a source checkout, say) does not hide the image's own.
_PYTEST = (
    "import sys; here = [p for p in sys.path if p == '']; "
    "sys.path[:] = [p for p in sys.path if p != ''] + here; sys.argv[0] = 'pytest'; "
    "import pytest; sys.exit(pytest.main())"
)

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
    "  gnnbench run -- -x --durations 5",
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
    help="What must be there: cuda, cuda:N (at least N GPUs), dataset:NAME, package:NAME. Its lack fails, "
    "with exit code 12.",
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
    suites, devices, require = words(suites), words(devices), words(require)
    _validate(suites, require, data, json_to)
    invocation = Invocation(
        argv=("gnnbench", *sys.argv[1:]),
        tier=tier,
        suites=tuple(suites),
        require=tuple(require),
        keyword=keyword,
    )
    options = [
        *(f"--gnnbench-suite={name}" for name in suites),
        *(f"--gnnbench-device={name}" for name in devices),
        *(f"--gnnbench-require={what}" for what in require),
        *([f"--gnnbench-data={data.resolve()}"] if data else []),
        *(["-k", keyword] if keyword else []),
    ]
    ended = conduct(
        invocation, _places(suites, require), options, pytest_args=pytest_args, output=output, charts=charts
    )
    if isinstance(ended, int):
        return ended
    publish(*ended, json_to)
    return int(ended[0].exit_code or 0)


def conduct(
    invocation: Invocation,
    places: Sequence[Path],
    options: Sequence[str],
    *,
    pytest_args: Sequence[str],
    output: Path,
    charts: bool,
) -> tuple[Run, Path] | int:
    """Run the checks in `places` in a child, follow it, and leave document and reports.

    Args:
        invocation: for the document, should the child die before it has begun its own.
        places: files and folders for pytest to collect.
        options: for the plugin.
        pytest_args: the user's own, for pytest.
        output: where the run's own folder is made.
        charts: whether to draw figures into the report.

    Returns:
        The finished document and its folder; an exit code where there never was a run.
    """
    run_id = new_run_id()
    folder = output.resolve() / run_id
    blank = Run(
        id=run_id, state=RunState.RUNNING, started_at=now(), gnnbench=__version__, invocation=invocation
    )
    _make_folder(folder, blank)
    command = _pytest_command(
        places,
        [
            f"--gnnbench-tier={invocation.tier}",
            f"--gnnbench-output={folder.parent}",
            f"--gnnbench-run-id={run_id}",
            *options,
            *pytest_args,
        ],
    )
    bare = any(argument in _NEED_TERMINAL for argument in pytest_args)
    log = None if bare else folder / "pytest.log"
    warm = _warm_up_charts() if charts and not bare else None
    follower = Follower(bare=bare)
    with PytestChild(command, log) as child:
        child.watch(follower.take)
        if warm is not None:
            warm.join()
        if follower.done:
            # torch takes a second or two to leave; the reports are drawn meanwhile.
            _write_reports(load(folder / "run.json"), folder, charts=charts)
        status = child.wait()
    finished = finish(folder, follower, status, log, bare=bare, stopped=child.stopped)
    if finished is None:
        _explain_usage_error(log)
        _discard(folder)
        return status if status >= 0 else ExitCode.INTERNAL_ERROR
    if not follower.done or finished.warnings:
        _write_reports(finished, folder, charts=charts)
    return finished, folder


def _places(suites: Sequence[str], require: Sequence[str]) -> list[Path]:
    """What pytest is to collect: only what was chosen, for importing the rest takes time for nothing."""
    folder = suites_folder()
    places = [folder / name for name in suites or suite_names()]
    suite, name = REQUIRED.split("/")
    if require and folder / suite not in places:
        places.append(folder / suite / f"test_{name}.py")
    return places


def _pytest_command(places: Sequence[Path], options: Sequence[str]) -> list[str]:
    return [sys.executable, "-c", _PYTEST, *map(str, places), *pytest_options(), *options]


def words(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(word for value in values for word in value.replace(",", " ").split()))


def _validate(suites: Sequence[str], require: Sequence[str], data: Path | None, json_to: str | None) -> None:
    require_writable(json_to)
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


def _explain_usage_error(log: Path | None) -> None:
    wrong = [line for line in tail(log).splitlines() if "ERROR" in line or "error:" in line]
    for line in wrong or tail(log, 5).splitlines():
        click.echo(f"gnnbench: {line.removeprefix('ERROR: ').replace('--gnnbench-', '--')}", err=True)


def _discard(folder: Path) -> None:
    """Take away the folder of a run that never was: only what was put there a moment ago."""
    for name in ("run.json", "pytest.log"):
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()


def _write_reports(document: Run, folder: Path, *, charts: bool) -> None:
    from gnnbench.report import write_reports

    try:
        write_reports(document, folder, charts=charts)
    except Exception as error:
        # The record is safe; a report that can't be drawn must not take the verdict with it.
        click.echo(
            f"gnnbench: the reports could not be written ({type(error).__name__}: {error}); the document is "
            f"{folder / 'run.json'}, and `gnnbench report` renders it again",
            err=True,
        )


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
