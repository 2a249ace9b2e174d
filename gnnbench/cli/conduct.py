"""One run from outside: begin its document, start pytest on it, follow, finish, draw the reports."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from gnnbench import __version__
from gnnbench.checks.recorder import new_run_id, now
from gnnbench.checks.suites import pytest_options
from gnnbench.cli.child import PytestChild
from gnnbench.cli.complaints import of_pytest
from gnnbench.cli.follower import Follower, finish
from gnnbench.cli.pytest_log import tail
from gnnbench.cli.sinks import make_folder
from gnnbench.record import ExitCode, Invocation, Run, RunState, load, save

#: `python -m pytest`, but with the folder it is called from last on the path and not first: a plugin of the
#: user's is found there, and a folder `torch` (in a source checkout, say) does not hide the image's own. A script
#: starts what it puts into the background with SIGINT ignored, by which the child is asked to stop.
_PYTEST = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "here = [p for p in sys.path if p == '']; "
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
    # The document begins before anything under test is touched: even a crash at import leaves one.
    save(blank, make_folder(folder) / "run.json")
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
        drawn = load(folder / "run.json") if follower.done else None
        if drawn is not None:
            # torch takes a second or two to leave; the reports are drawn meanwhile.
            _write_reports(drawn, folder, charts=charts)
        status = child.wait()
    finished = finish(
        folder, follower, status, log, bare=bare, stopped=child.stopped, silent_s=child.silent_s
    )
    if finished is None:
        for complaint in of_pytest(tail(log)):
            click.echo(f"gnnbench: {complaint}", err=True)
        _discard(folder)
        return status if status >= 0 else ExitCode.INTERNAL_ERROR
    if finished != drawn:
        _write_reports(finished, folder, charts=charts)
    return finished, folder


def _pytest_command(places: Sequence[Path], options: Sequence[str]) -> list[str]:
    return [sys.executable, "-c", _PYTEST, *map(str, places), *pytest_options(), *options]


def _warm_up_charts() -> threading.Thread:
    """Load the chart library beside the checks' own imports: on two cores the report then costs little."""
    from gnnbench.report import warm_up

    thread = threading.Thread(target=warm_up, daemon=True)
    thread.start()
    return thread


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
