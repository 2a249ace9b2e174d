"""Run a real suite in a process of its own, with or without a planted fault, and read its document."""

import os
import subprocess
import sys
from pathlib import Path

from gnnbench.record import load

SUITES = Path(__file__).parents[1] / "suites"


def run_suite(folder, suite, *arguments, plant="", environment=None, device="cpu"):
    """Run `suites/<suite>` in `folder`; returns (exit code, Run).

    `plant` is the source of a pytest plugin: what it does at import happens before the suite is imported.
    """
    (folder / "planted_fault.py").write_text(plant)
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
        timeout=300,
        check=False,
    )  # fmt: skip
    documents = sorted(folder.glob("reports/*/run.json"), key=lambda path: path.stat().st_mtime)
    assert documents, ended.stdout + ended.stderr
    return ended.returncode, load(documents[-1])


def outcomes(run):
    """Outcome by check, the suite left out: `{"training/paper[cpu]": "passed"}`."""
    return {result.id.partition("/")[2]: result.outcome.value for result in run.results}
