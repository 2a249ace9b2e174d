"""Whether the suites catch a fault: plant it, run them, and see its checks red and its clean twin's green."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gnnbench.checks.outcomes import describe
from gnnbench.faults.fault import Fault
from gnnbench.record import DocumentError, Environment, ExitCode, Outcome, Result, Run, load
from gnnbench.record.codec import decode

#: What the nursery says of one process: `fault`, `broken`, `status`, `seconds`.
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of planting one fault, and its clean twin."""

    fault: Fault
    caught: tuple[str, ...] = ()
    """Checks that the fault turned red, without their parameters."""
    missed: tuple[str, ...] = ()
    """Checks that owe it a red and stayed green; of a harmless difference, those that turned red or judged nothing."""
    twin_red: tuple[str, ...] = ()
    """Checks that the clean twin turned red: false alarms."""
    twin_unproven: tuple[str, ...] = ()
    """Checks that owe the fault a red and never were green on the twin: red means nothing there."""
    unexplained: tuple[str, ...] = ()
    """Checks that the fault turned red without naming its cause: `CHECK lacks 'WORDS'`."""
    first: Result | None = None
    """The first result that the fault turned red, with its finding."""
    seconds: float = 0.0
    """Of the run against the fault."""
    problem: str = ""
    """Why there is no answer: a process that crashed, hung or left no document."""

    @property
    def proved(self) -> bool:
        """Whether every check that owes it was red on the fault and green on the twin."""
        return not (self.problem or self.missed or self.unexplained or self.twin_red or self.twin_unproven)

    def describe(self) -> str:
        """Why it is not proved, in one line; empty where it is."""
        for why, checks in (
            ("harmless, and red or not judged in " if self.fault.harmless else "not caught by ", self.missed),
            ("red without its cause: ", self.unexplained),
            ("the clean twin is red in ", self.twin_red),
            ("on the clean twin nothing was judged by ", self.twin_unproven),
        ):
            if checks and not self.problem:
                return why + ", ".join(checks)
        return self.problem


def prove(
    faults: Iterable[Fault],
    *,
    folders: Sequence[Path] = (),
    jobs: int = 2,
    timeout: float = 300.0,
    on_machine: Callable[[Environment], None] | None = None,
) -> Iterator[Proof]:
    """Plant each fault and its twin in processes of their own; yields each proof as soon as it is complete.

    Args:
        faults: whose.
        folders: where those of them stand that are not ours, as for `catalogue`.
        jobs: how many processes run at a time.
        timeout: seconds for one of them, from its fork.
        on_machine: told once what machine and image they run on.

    Raises:
        RuntimeError: where the process that plants could not be started or ended early, with its last words.
    """
    waiting = {fault.id: fault for fault in faults}
    with tempfile.TemporaryDirectory(prefix="gnnbench-prove-") as folder, tempfile.TemporaryFile() as errors:
        orders = []
        for name in waiting:
            for broken in (True, False):
                place = _place(Path(folder), name, broken=broken)
                place.mkdir()
                orders.append({"fault": name, "broken": broken, "folder": str(place), "timeout": timeout})
        nursery = subprocess.Popen(
            [sys.executable, "-m", "gnnbench.faults.nursery", str(jobs), *map(str, folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        ended: dict[tuple[str, bool], Answer] = {}
        try:
            for answer in _converse(nursery, orders):
                if "environment" in answer:
                    if on_machine is not None:
                        on_machine(decode(Environment, answer["environment"]))
                    continue
                ended[answer["fault"], answer["broken"]] = answer
                fault = waiting[answer["fault"]]
                if {(fault.id, True), (fault.id, False)} <= ended.keys():
                    del waiting[fault.id]
                    yield _judge(fault, Path(folder), ended[fault.id, True], ended[fault.id, False])
        finally:
            nursery.kill()
            nursery.wait()
        if waiting:
            raise RuntimeError(
                f"expected an answer for {', '.join(waiting)}, found that the process that plants faults "
                f"ended: {_last_line(errors)}"
            )


def _converse(nursery: subprocess.Popen[bytes], orders: list[dict[str, Any]]) -> Iterator[Answer]:
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    try:
        nursery.stdin.write("".join(json.dumps(order) + "\n" for order in orders).encode())
        nursery.stdin.close()
    except BrokenPipeError:
        return  # it ended before it read: its last words say why
    for line in nursery.stdout:
        yield json.loads(line)


def _place(folder: Path, name: str, *, broken: bool) -> Path:
    return folder / f"{name}-{'fault' if broken else 'twin'}"


def _judge(fault: Fault, folder: Path, broken: Answer, twin: Answer) -> Proof:
    seconds = float(broken["seconds"])
    try:
        against = _document(_place(folder, fault.id, broken=True), broken)
        clean = _document(_place(folder, fault.id, broken=False), twin)
    except DocumentError as error:
        return Proof(fault=fault, seconds=seconds, problem=str(error))
    red = _checks(against, Outcome.FAILED)
    green = _checks(clean, Outcome.PASSED)
    if fault.harmless:
        unmoved = _checks(against, Outcome.PASSED).keys() - red.keys()
        missed = tuple(dict.fromkeys([*red, *(check for check in fault.caught_by if check not in unmoved)]))
    else:
        missed = tuple(check for check in fault.caught_by if check not in red)
    return Proof(
        fault=fault,
        caught=tuple(red),
        missed=missed,
        unexplained=() if fault.harmless else _unexplained(fault, against),
        twin_red=(*_checks(clean, Outcome.FAILED), *_checks(clean, Outcome.INCONCLUSIVE)),
        twin_unproven=tuple(check for check in fault.caught_by if check not in green),
        first=next(iter(against.with_outcome(Outcome.FAILED)), None),
        seconds=seconds,
    )


def _unexplained(fault: Fault, run: Run) -> tuple[str, ...]:
    """What each check that owes the fault a red should have said of it, and did not in any of its findings."""
    told: dict[str, str] = {}
    for result in run.with_outcome(Outcome.FAILED):
        check = result.id.partition("[")[0]
        told[check] = f"{told.get(check, '')}\n{_words(result)}"
    return tuple(
        f"{check} lacks {words!r}"
        for check in fault.caught_by
        if check in told
        for words in fault.says
        if words not in told[check]
    )


def _words(result: Result) -> str:
    finding = result.finding
    return "" if finding is None else describe(finding)


def _document(folder: Path, answer: Answer) -> Run:
    path = folder / "run" / "run.json"
    if answer["status"] == ExitCode.NO_CHECKS:
        raise DocumentError(
            f"no check was selected by its keyword on the {folder.name.rpartition('-')[2]}: is the backend planted?"
        )
    if answer.get("timed_out"):
        raise DocumentError(
            f"the run against the {folder.name.rpartition('-')[2]} did not end within {answer['timed_out']:g} s (--timeout)"
        )
    if answer["status"] < 0 or not path.is_file():
        log = folder / "pytest.log"
        with log.open("rb") as words:
            raise DocumentError(
                f"the run against the {folder.name.rpartition('-')[2]} left with status "
                f"{answer['status']:g}: {_last_line(words)}"
            )
    return load(path)


def _checks(run: Run, outcome: Outcome) -> dict[str, None]:
    """Ids without parameters, in the order in which they first had this outcome."""
    return {result.id.partition("[")[0]: None for result in run.with_outcome(outcome)}


def _last_line(file: IO[bytes]) -> str:
    file.seek(0)
    lines = [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip("= ") if lines else "no word"
