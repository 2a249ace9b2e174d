"""What stands at the top: the answer, the machine it is about, and what to do next."""

from __future__ import annotations

import re
from collections import Counter

from gnnbench.record import ExitCode, Outcome, Run, RunState, Verdict
from gnnbench.report.findings import command_again
from gnnbench.report.margins import Margins
from gnnbench.report.proofs import proofs_of
from gnnbench.report.quantity import NBSP, duration, number
from gnnbench.report.text import one_line, plural

#: The part of a headline that is the answer.
ANSWER = re.compile(r"[A-Z]+(?: [A-Z]+)*\b")


def answer(verdict: Verdict) -> tuple[str, str]:
    """The headline as the answer and the rest: `("Not good", "3 of 412 checks failed")`."""
    headline = one_line(verdict.headline)
    match = ANSWER.match(headline)
    if match is None:
        return headline, ""
    return match.group().capitalize(), headline[match.end() :].lstrip(" ,:")


def tone(verdict: Verdict) -> Outcome:
    """The outcome whose sign and colour the verdict wears."""
    if verdict.good:
        return Outcome.PASSED
    unclear = (ExitCode.INCONCLUSIVE, ExitCode.NO_CHECKS, ExitCode.INTERRUPTED)
    failed = any(result.outcome is Outcome.FAILED for result in verdict.findings)
    return Outcome.INCONCLUSIVE if verdict.exit_code in unclear and not failed else Outcome.FAILED


def machine(run: Run) -> list[str]:
    """What was judged, in a few words each: devices, torch, PyG, tier, time."""
    packages = {name.lower().replace("_", "-"): version for name, version in run.environment.packages.items()}
    models = Counter(one_line(device.model or device.name) for device in run.environment.devices)
    words = [f"{count}{NBSP}× {model}" if count > 1 else model for model, count in models.items()]
    for name, title in (("torch", "torch"), ("torch-geometric", "PyG")):
        if name in packages:
            words.append(f"{title}{NBSP}{one_line(packages[name])}")
    words.append(f"tier{NBSP}{one_line(run.invocation.tier)}")
    if run.duration_s:
        words.append(duration(run.duration_s))
    return words


def reasons(run: Run, verdict: Verdict, margins: Margins) -> list[str]:
    """Why the answer is what it is, where no finding says it."""
    said = []
    if run.state is not RunState.COMPLETE:
        why = f": {one_line(run.ended_by)}" if run.ended_by else ""
        never = f" {plural(len(run.unfinished), 'check')} never ended." if run.unfinished else ""
        said.append(f"The run did not come to its end{why}.{never}")
    if not run.results:
        left_out = ", ".join(
            f"{count:,} by {_selector(run, why)}" for why, count in run.deselected.items() if count
        )
        said.append(f"No check ran. Left out: {left_out}." if left_out else "No check ran.")
    planted = proofs_of(run)
    if planted:
        proved = sum(row.proved for row in planted)
        said.append(
            f"{proved:,} of {plural(len(planted), 'fault')} proved: caught where a fault, let pass where harmless, "
            "and green on the clean twin."
        )
        return said
    worst = margins.worst
    if verdict.good and worst is not None:
        said.append(
            f"{plural(margins.count, 'numeric comparison')} kept within their bounds; the closest came to "
            f"{number(100 * worst.margin.ratio, 2)}{NBSP}% of its bound."
        )
    elif verdict.good:
        said.append("Everything that could be judged was found right.")
    return said


def _selector(run: Run, why: str) -> str:
    """What left checks out, as it was typed where that is known."""
    if why != "keyword":
        return one_line(why)
    return f"-k {one_line(run.invocation.keyword)}" if run.invocation.keyword else "-k, -m or --deselect"


def advice(run: Run, verdict: Verdict) -> str:
    """What to do next, where no finding says it. Commands stand in backticks."""
    if run.state is RunState.CRASHED and not run.results:
        return f"Mend what `pytest.log` ends with, then run it again: `{command_again(run)}`."
    if run.state is not RunState.COMPLETE:
        return f"Run it again: `{command_again(run)}`. What is shown here is what was known when it ended."
    if not run.results and run.invocation.keyword:
        return (
            "Ask for another `-k`, any part of a name that `gnnbench run -- --collect-only -q` lists, or for a larger "
            "tier."
        )
    if not run.results:
        return "Ask for a larger tier or another suite, for example `gnnbench run --tier standard`."
    if proofs_of(run) and not verdict.good:
        return "See below which check owes a fault a red, or cries wolf on a clean twin."
    absent = run.count(Outcome.NOT_APPLICABLE)
    if not verdict.good:
        return f"Give what could not judge what it lacked, then run it again: `{command_again(run)}`."
    if absent:
        return (
            f"Nothing. {plural(absent, 'check')} had nothing to judge here; where that is wrong, "
            "`--require` turns what is lacking into a failure."
        )
    return "Nothing. Keep `run.json`: it is the record."
