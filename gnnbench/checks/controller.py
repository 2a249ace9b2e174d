"""The one process of a session that keeps the document: pytest's own, or pytest-xdist's controller."""

from __future__ import annotations

import gc
import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from gnnbench.checks.declaration import CheckSpec, id_of_nodeid
from gnnbench.checks.judgement import shorten
from gnnbench.checks.options import RUN_ID, Options
from gnnbench.checks.recorder import Recorder
from gnnbench.checks.suites import SUITES
from gnnbench.checks.unseen import lost_check, unjudged
from gnnbench.contract import Contract
from gnnbench.record import (
    Environment,
    Finding,
    Invocation,
    Outcome,
    Result,
    Run,
    RunState,
    Verdict,
)
from gnnbench.record.codec import decode

#: Name of the user property and of the worker output in which results travel.
PROPERTY = "gnnbench"

#: In which `gnnbench run` hands on what it was called with, as a JSON list.
ARGV_VARIABLE = "_GNNBENCH_ARGV"

Describe = Callable[[], tuple[Environment, tuple[str, ...]]]


class Controller:
    """Opens the document when the first check is seen, fills it, and closes it with the session.

    Args:
        config: of this session.
        options: of this session.
        version: of gnnbench, for the document.
        describe: reads environment and device names; called once, when there are checks to run.
        complete: reads the environment whole, with what takes time; called once, at the end of a run.
        contract: that the image is held to; None without.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        version: str,
        describe: Describe,
        complete: Callable[[], Environment],
        contract: Contract | None = None,
    ) -> None:
        self.config = config
        self.options = options
        self.finished: tuple[Run, Verdict] | None = None
        self.deselected: Counter[str] = Counter()
        self._describe = describe
        self._complete = complete
        self._described = False
        self._contract = contract
        self._opened = False
        self._workers_told = False
        self.recorder: Recorder | None = None
        if options.folder is not None and not config.getoption("collectonly", default=False):
            self.recorder = Recorder(options.run_id, options.folder, self._invocation(), version)

    def _invocation(self) -> Invocation:
        config, options = self.config, self.options
        return Invocation(
            argv=typed_arguments(config),
            tier=options.tier.label,
            suites=options.suites,
            require=tuple(sorted(options.requirements)),
            targets=options.targets,
            keyword=config.getoption("keyword", "") or "",
            data="" if options.data is None else str(options.data),
            contract="" if options.contract is None else str(options.contract),
            workers=len(config.getoption("tx", None) or ()),
        )

    @property
    def _awaited(self) -> bool:
        """Whether somebody waits for a document, be there a check to run or none."""
        return self.recorder is not None and self.recorder.watched

    def open(self, *, describe: bool = True) -> Recorder | None:
        """The recorder, its document begun; None where nothing is to be written.

        To describe the machine takes seconds, which a selection of nothing is not worth.

        Raises `pytest.UsageError` where the folder can't be written to.
        """
        if self.recorder is not None and not self._opened:
            try:
                self.recorder.open()
            except OSError as error:
                raise pytest.UsageError(
                    f"--gnnbench-output: expected a folder that can be written to, found {error}; "
                    "name another, or `none` to write nothing"
                ) from None
            self._opened = True
            if describe:
                self.recorder.describe(*self._describe())
                self._described = True
        return self.recorder

    #
    # Collecting
    #

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begin once it is known that there are checks to run. Under pytest-xdist nothing is known here."""
        ids = [spec.id for item in session.items if (spec := CheckSpec.of(item))]
        recorder = self.open(describe=bool(ids)) if ids or self._awaited else None
        if recorder is not None:
            recorder.select(ids)
            recorder.deselect(self.deselected)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file of checks that can't even be imported is a failure of the image, told as one."""
        suite = Path(report.nodeid.partition("::")[0]).parent.name
        chosen = not self.options.suites or suite in self.options.suites
        if not report.failed or suite not in SUITES or not chosen:
            return
        recorder = self.open()
        if recorder is None:
            return
        text = report.longreprtext.strip()
        reason = text.rpartition("\n")[2].removeprefix("E").strip()
        recorder.add(
            Result(
                id=id_of_nodeid(report.nodeid),
                suite=suite,
                tier="smoke",
                outcome=Outcome.FAILED,
                title="The file of checks can be imported.",
                finding=Finding(
                    summary=f"could not be imported: {reason}",
                    expected="every package that the checks import, in a state that imports",
                    # Files that fail for one reason are then one finding.
                    cause=reason,
                    fix="install what the image lacks; inside an image that has it, look at the log",
                ),
                log=shorten(text),
                nodeid=report.nodeid,
            )
        )

    #
    # Running
    #

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker of pytest-xdist is set up: its checks may name the document of the run."""
        node.workerinput[RUN_ID] = self.options.run_id

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell whoever watches which check begins."""
        if self.recorder is not None and self._opened:
            self.recorder.start(id_of_nodeid(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a finished result, from here or from a worker."""
        if str(report.when) == "???":
            self._add_lost(report)
            return
        payload = dict(report.user_properties).get(PROPERTY) if report.when == "teardown" else None
        recorder = self.open() if isinstance(payload, dict) else None
        if recorder is not None:
            recorder.add(decode(Result, payload))

    def _add_lost(self, report: pytest.TestReport) -> None:
        """`???` is pytest-xdist's word for the phase in which a worker died."""
        check_id = id_of_nodeid(report.nodeid)
        suite = check_id.partition("/")[0]
        recorder = self.open() if suite in SUITES else None
        if recorder is not None:
            recorder.add(lost_check(check_id, self.options.tier.label, report.longreprtext, report.nodeid))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker leaves: take over which of its items were checks, and what it left out."""
        output = getattr(node, "workeroutput", {}).get(PROPERTY)
        self._workers_told = self._workers_told or output is not None
        if output and output["selected"]:
            recorder = self.open()
            if recorder is not None:
                recorder.select(output["selected"])
                recorder.deselect(output["deselected"])

    #
    # Ending
    #

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Close the document, and let the exit code say what the verdict says.

        The innermost wrapper: after everybody's clean-up, and before the terminal's summary is written.
        """
        yield
        if self.config.getoption("tx", None) and not self._workers_told and int(session.exitstatus) == 5:
            # No worker lived to say what there is: the selection is not to blame.
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        if self.recorder is None or not self._opened:
            return
        seen = {result.id for result in self.recorder.snapshot().results}
        for result in unjudged(self.options, self._contract, seen):
            self.recorder.add(result)
        # Other plugins' sessionfinish may have changed it: take what stands now.
        code = int(session.exitstatus)
        if code == pytest.ExitCode.USAGE_ERROR and not self.recorder.snapshot().results:
            # A wrong -k is noticed after collection: there never was a run.
            self.recorder.discard()
            return
        state, ended_by = _how_it_ended(session, code)
        if self._described and state is RunState.COMPLETE:
            self.recorder.complete(self._complete())
        self.finished = self.recorder.close(state, code, ended_by)
        session.exitstatus = code if self.finished[0].exit_code is None else self.finished[0].exit_code

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Leave quickly: without this, Python searches the million objects of torch and PyG for cycles.

        They are about to go with the process, whose last collections took longer than most suites.
        """
        if self._opened:
            gc.freeze()


def typed_arguments(config: pytest.Config) -> tuple[str, ...]:
    """What the user typed: handed on by `gnnbench run`, else pytest's own arguments."""
    handed = os.environ.pop(ARGV_VARIABLE, "")
    arguments = json.loads(handed) if handed else config.invocation_params.args
    return tuple(str(argument) for argument in arguments)


def selected_ids(items: Iterable[pytest.Item]) -> list[str]:
    """Ids of those items that are checks."""
    return [spec.id for item in items if (spec := CheckSpec.of(item))]


def _how_it_ended(session: pytest.Session, code: int) -> tuple[RunState, str]:
    if code == pytest.ExitCode.INTERRUPTED:
        return RunState.INTERRUPTED, str(session.shouldstop or "Ctrl-C or a signal")
    if code == pytest.ExitCode.INTERNAL_ERROR:
        return RunState.CRASHED, "an internal error of pytest or of a plugin"
    early = session.shouldfail or session.shouldstop
    return (RunState.INTERRUPTED, str(early)) if early else (RunState.COMPLETE, "")
