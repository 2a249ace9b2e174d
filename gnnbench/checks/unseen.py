"""Results of checks that never gave one: lost with their process, or demanded and never run."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gnnbench.checks.judgement import shorten
from gnnbench.checks.options import Options
from gnnbench.checks.suites import CONTRACT, REQUIRED, TARGET
from gnnbench.contract import Contract
from gnnbench.record import Finding, Outcome, Result


def unjudged(options: Options, contract: Contract | None, seen: Collection[str]) -> Iterator[Result]:
    """What the user demanded and no check has judged: it does not hold, it is not known to.

    Args:
        options: of the session: requirements and targets.
        contract: likewise.
        seen: ids of the checks that gave a result.
    """
    for check_id, (title, what) in _owed(options, contract).items():
        if check_id not in seen:
            yield Result(
                id=check_id,
                suite=check_id.partition("/")[0],
                tier="smoke",
                outcome=Outcome.INCONCLUSIVE,
                title=title,
                finding=Finding(
                    summary=f"{what}, and the check that judges it was not run",
                    fix=f"add suites/{_file_of(check_id)} to what pytest is to run",
                ),
            )


def _owed(options: Options, contract: Contract | None) -> dict[str, tuple[str, str]]:
    """Id → title and demand, of the checks without which nobody has judged what the user demanded."""
    owed = {
        f"{REQUIRED}/required[{what}]": ("What was required is there.", f"{what} was required")
        for what in sorted(options.requirements)
    }
    for gpu in options.targets:
        owed[f"{TARGET}[{gpu}]"] = ("The image serves its target.", f"{gpu} was named as target")
    if contract is not None:
        for clause in contract.clauses:
            where = contract.where(clause.place)
            owed[f"{CONTRACT}/holds[{clause.id}]"] = ("The contract holds.", f"{where} asks for it")
    return owed


def _file_of(check_id: str) -> str:
    suite, name, _ = check_id.split("/", 2)
    return f"{suite}/test_{name}.py"


def lost_check(check_id: str, tier: str, log: str, nodeid: str, why: str = "") -> Result:
    """The result of a check whose process died under it."""
    return Result(
        id=check_id,
        suite=check_id.partition("/")[0],
        tier=tier,
        outcome=Outcome.FAILED,
        finding=Finding(
            summary=f"the process died while this check ran{': ' * bool(why)}{why}",
            expected="a result, or an error that Python can catch",
            found=why or "a process that was gone",
            cause="a crash in native code, or the kernel's out-of-memory killer",
            fix="run this check alone with `-s`, and read the last lines it prints",
        ),
        log=shorten(log),
        nodeid=nodeid,
    )
