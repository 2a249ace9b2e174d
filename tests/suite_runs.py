"""Run a real suite in a process of its own, with or without a planted fault, and read its document."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from gnnbench.faults.children import START_FILE, start_text
from gnnbench.record import ExitCode, Outcome, Result, load

SUITES = Path(__file__).parents[1] / "suites"


def run_suite(folder, suite, *arguments, plant="", children=None, environment=None, device="cpu"):
    """Run `suites/<suite>` in `folder`; returns (exit code, Run).

    `plant` is the source of a pytest plugin: what it does at import happens before the suite is imported. `children`
    is module → source that is run once it is imported, in this process and in all that it starts.
    """
    (folder / "planted_fault.py").write_text(plant)
    if children:
        (folder / START_FILE).write_text(start_text(children))
    environment = dict(environment or {})
    paths = [environment.get("PYTHONPATH", str(folder)), *filter(None, [os.environ.get("PYTHONPATH")])]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", str(SUITES / suite), "-q", "-p", "planted_fault",
         "-p", "no:cacheprovider",
         *([f"--gnnbench-device={device}"] if device else []), "--gnnbench-tier=smoke", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        # On a busy machine too: forty backends of one plugin take minutes.
        timeout=1200,
        check=False,
    )  # fmt: skip
    documents = sorted(folder.glob("reports/*/run.json"), key=lambda path: path.stat().st_mtime)
    assert documents, ended.stdout + ended.stderr
    return ended.returncode, load(documents[-1])


def outcomes(run):
    """Outcome by check, the suite left out: `{"training/paper[cpu]": "passed"}`."""
    return {result.id.partition("/")[2]: result.outcome.value for result in run.results}


class Judged(NamedTuple):
    """One check on one backend."""

    backend: str
    check: str
    """`relations/batch`."""
    parameter: str
    """What stands in the brackets besides backend and device."""
    result: Result


def judge_backends(folder, plugin, keyword, tier="standard"):
    """Put the backends that `plugin`, a module beside this one, registers through suites/equivalence.

    `keyword` is pytest's `-k`; some of them must be red.
    """
    # This checkout before any gnnbench that is installed.
    path = os.pathsep.join(map(str, [folder, *Path(__file__).parents[:2]]))
    code, run = run_suite(
        folder,
        "equivalence",
        *("-p", plugin, f"--gnnbench-tier={tier}", "-k", keyword, "--tb=no"),
        environment={"PYTHONPATH": path},
    )
    assert code == ExitCode.CHECK_FAILED
    found = []
    for result in run.results:
        check, backend, parameter = re.fullmatch(
            r"equivalence/(\w+/\w+)\[(\w+)-cpu-?(.*)\]", result.id
        ).groups()
        found.append(Judged(backend, check, parameter, result))
    return found


def red_checks(judged):
    """backend → the checks that did not pass."""
    found = defaultdict(set)
    for one in judged:
        if one.result.outcome is not Outcome.PASSED:
            found[one.backend].add(one.check)
    return found
