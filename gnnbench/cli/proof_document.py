"""The Run document of `gnnbench prove`: one result a fault, written anew with each proof."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gnnbench import __version__
from gnnbench.checks.recorder import now
from gnnbench.faults import Fault, Proof
from gnnbench.record import Environment, ExitCode, Finding, Invocation, Outcome, Result, Run, RunState, save
from gnnbench.report.proofs import SUITE


class ProofDocument:
    """Kept on disk while faults are planted, so that what is proved is never lost.

    Args:
        folder: of the run; it must be there.
        faults: that are going to be planted.
    """

    def __init__(self, folder: Path, faults: Sequence[Fault]) -> None:
        self.folder = folder
        self.proofs: list[Proof] = []
        self.machine = Environment()
        self._faults = list(faults)
        self._begin, self._started = time.monotonic(), now()
        self._save(RunState.RUNNING)

    def describe(self, machine: Environment) -> None:
        """Say what machine and image the faults are planted on."""
        self.machine = machine

    def add(self, proof: Proof) -> None:
        """One more is known."""
        self.proofs.append(proof)
        self._save(RunState.RUNNING)

    def close(self, ended_by: str = "", *, crashed: bool = False) -> Run:
        """The finished document; `ended_by` where it came to its end early, `crashed` where nobody had asked for that."""
        early = RunState.CRASHED if crashed else RunState.INTERRUPTED
        return self._save(early if ended_by else RunState.COMPLETE, ended_by)

    @property
    def seconds(self) -> float:
        """Since the first fault was going to be planted."""
        return time.monotonic() - self._begin

    def _save(self, state: RunState, ended_by: str = "") -> Run:
        run = self._document(state, ended_by)
        save(run, self.folder / "run.json")
        return run

    def _document(self, state: RunState, ended_by: str) -> Run:
        results = tuple(_result(proof) for proof in sorted(self.proofs, key=lambda proof: proof.fault.id))
        ended = {result.id for result in results}
        proved = all(proof.proved for proof in self.proofs)
        code = None
        if state is not RunState.RUNNING:
            code = ExitCode.GOOD if proved else ExitCode.CHECK_FAILED
        if ended_by:
            code = ExitCode.INTERNAL_ERROR if state is RunState.CRASHED else ExitCode.INTERRUPTED
        return Run(
            id=self.folder.name,
            state=state,
            started_at=self._started,
            finished_at="" if state is RunState.RUNNING else now(),
            duration_s=round(self.seconds, 3),
            gnnbench=__version__,
            invocation=Invocation(
                argv=("gnnbench", *sys.argv[1:]), tier="smoke", suites=(SUITE,), devices=("cpu",)
            ),
            environment=self.machine,
            results=results,
            collected=len(self._faults),
            unfinished=tuple(one for fault in self._faults if (one := _id(fault)) not in ended),
            ended_by=ended_by,
            exit_code=code,
        )


def _id(fault: Fault) -> str:
    return f"{SUITE}/{'_'.join(fault.areas).lower()}/{fault.id}"


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
            cause=_cause(proof),
            fix=f"run `gnnbench prove {fault.id}` alone, with the same --catalogue; the file of the fault says how it is "
            "planted",
        )
    first = proof.first
    return Result(
        id=_id(fault),
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


def _cause(proof: Proof) -> str:
    if proof.problem:
        return "a plant that breaks the process, or plants nothing"
    if proof.fault.harmless:
        return "a check that takes a difference for a fault"
    if proof.missed:
        return "a check that does not see it, a name in caught_by that no check has, or a keyword that leaves it out"
    if proof.unexplained:
        return "a finding that says what is red and not why"
    return "a check that cries wolf, or a clean twin that is not clean"
