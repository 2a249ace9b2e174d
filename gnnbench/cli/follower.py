"""What the watching process keeps of a run, and how it finishes the document of a child that died."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gnnbench.checks.recorder import now
from gnnbench.checks.unseen import lost_check
from gnnbench.cli.color import wants_color
from gnnbench.cli.progress import Progress
from gnnbench.cli.pytest_log import last_words, tail
from gnnbench.record import ExitCode, Result, Run, RunState, load, save
from gnnbench.record.codec import decode


class Follower:
    """Keeps what the child has said, for the screen now and for the document should the child die."""

    def __init__(self, *, bare: bool) -> None:
        self.results: list[dict[str, Any]] = []
        self.selected: list[str] = []
        self.running: dict[str, None] = {}
        #: Whether the child has said that its document is finished.
        self.done = False
        stderr = sys.stderr
        self._progress = None if bare or stderr is None else Progress(stderr, color=wants_color(stderr))

    def take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        self.done = self.done or kind == "finish"
        if kind == "collected":
            self.selected = event["ids"]
        elif kind == "start":
            self.running[event["id"]] = None
        elif kind == "result":
            self.results.append(event["result"])
            self.running.pop(event["result"]["id"], None)
        if self._progress is None:
            return
        try:
            self._show(self._progress, event)
        except OSError:
            self._progress = None  # nobody sees it any more; the run goes on

    def _show(self, progress: Progress, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "collected":
            progress.selected(event["ids"])
        elif kind == "start":
            progress.started(event["id"])
        elif kind == "result":
            progress.finished(event["result"])
        elif kind == "tick":
            progress.tick()
        elif kind == "finish":
            progress.close()


def finish(
    folder: Path,
    follower: Follower,
    status: int,
    log: Path | None,
    *,
    bare: bool,
    stopped: bool,
    silent_s: float = 0.0,
) -> Run | None:
    """The finished document; None where there never was a run: a usage error, or a question to pytest alone.

    Args:
        folder: of the run.
        follower: what was heard.
        status: the child's exit status.
        log: what the child printed; None where it had the terminal.
        bare: whether pytest was asked something that is no run, such as `--collect-only`. Only then may a child
            leave with status 0 without having said that it is done.
        stopped: whether the user asked the child to stop.
        silent_s: seconds after which the child was ended, for it had not begun; 0 where it was not.
    """
    path = folder / "run.json"
    heard_nothing = not follower.results and not follower.running
    if heard_nothing and (bare or (status == ExitCode.USAGE_ERROR and not stopped)):
        return None
    document = load(path)
    if document.state is not RunState.RUNNING:
        return _completed(document, path, status, log)
    known = {result.id for result in document.results}
    heard = tuple(decode(Result, data) for data in follower.results if data["id"] not in known)
    why = _signal_name(status) if status < 0 else f"exit status {status}"
    if stopped:
        why = "Ctrl-C or SIGTERM"
    elif silent_s:
        why = f"a hang: nothing was heard for {silent_s:g} s,"
    lost = (
        ()
        if stopped
        else tuple(
            lost_check(check, document.invocation.tier, tail(log), "", why) for check in follower.running
        )
    )
    results = (*document.results, *heard, *lost)
    ended = {result.id for result in results}
    nothing = status == ExitCode.NO_CHECKS and not stopped
    state = RunState.COMPLETE if nothing else RunState.INTERRUPTED if stopped else RunState.CRASHED
    document = replace(
        document,
        state=state,
        finished_at=now(),
        results=results,
        collected=max(len(follower.selected), len(results)),
        unfinished=tuple(check for check in follower.selected if check not in ended),
        # Outside any check only pytest's own output knows what happened.
        ended_by="" if nothing else why + _where(follower) + ("" if stopped or lost else _said(log)),
        exit_code=ExitCode.INTERRUPTED if stopped else _exit_code(status, bool(lost)),
    )
    save(document, path)
    return document


def _where(follower: Follower) -> str:
    return f" in {next(iter(follower.running))}" if follower.running else " outside any check"


def _completed(document: Run, path: Path, status: int, log: Path | None) -> Run:
    """The document that the child has finished itself, with what it could not know."""
    changed = document
    if document.state is RunState.CRASHED:
        changed = replace(changed, ended_by=document.ended_by + _said(log))
    if status < 0:
        # A library that crashes when the process leaves has spoilt no result, and is worth knowing of.
        warning = f"the process died by {_signal_name(status)} on its way out, after the last check"
        changed = replace(changed, warnings=(*document.warnings, warning))
    if changed is not document:
        save(changed, path)
    return changed


def _said(log: Path | None) -> str:
    words = last_words(log)
    return f" ({words})" if words else ""


def _exit_code(status: int, lost: bool) -> int:
    """A check that took the process down has failed; else the child's word, where it is one of ours."""
    if lost:
        return ExitCode.CHECK_FAILED
    return status if status > 0 and status in set(ExitCode) else ExitCode.INTERNAL_ERROR


def _signal_name(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
