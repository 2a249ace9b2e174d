"""suites/equivalence: whatever is registered is judged, and each kind of fault turns its checks red."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from gnnbench.checks.suites import suites_folder
from gnnbench.record import ExitCode, Outcome, load

SUITE = suites_folder() / "equivalence"

#: Enough of the suite to catch everything below, and quick.
CHECKS = "(exact_plain or exact_weighted or mixed or random or state or operands or precision or self_loops)"

#: What has tests of its own.
ELSEWHERE = "test_use or test_calls or test_random or test_relations or test_algebra or test_shapes or test_determinism or test_seeds"

EVERYTHING = {
    "bounded/layer",
    "exact/forward",
    "exact/gradients",
    "exact/self_loops",
    "operands/fixed_features",
    "operands/no_bias",
    "operands/partial_gradients",
    "operands/strides",
    "operands/widening",
    "precision/declared",
    "precision/tripwire",
    "state/operands_unchanged",
    "state/second_call",
    "state/second_graph",
}

#: Checks that compare no value.
VALUES = EVERYTHING - {"state/operands_unchanged"}

#: backend → the checks that must be red. All others must be green.
RED = {
    "m_clean": set(),
    "m_entry": VALUES - {"exact/gradients"},
    "m_ulp": VALUES - {"exact/gradients", "bounded/layer", "precision/declared"},
    "m_nan": VALUES - {"exact/gradients"},
    "m_no_loops": VALUES,
    "m_cached": VALUES,
    "m_cached_size": {"state/second_graph"},
    "m_tf32": {"bounded/layer", "precision/declared", "precision/tripwire"},
    "m_float64": VALUES - {"exact/gradients"},
    "m_detached": VALUES - {"exact/forward"},
    "m_db": VALUES - {"exact/forward", "operands/no_bias", "precision/declared", "precision/tripwire"},
    "m_spoils_x": {"state/operands_unchanged"},
    "m_spoils_graph": {"state/operands_unchanged"},
    "m_buffer": {"state/second_call"},
    "m_remembers": {"state/second_call"},
    "m_strides": {"operands/strides"},
    "m_bias": {"operands/no_bias", "precision/declared", "precision/tripwire"},
    "m_data_x": {"operands/fixed_features", "operands/partial_gradients"},
    "m_frozen": {"operands/partial_gradients"},
    "m_unsupported": set(),
    "m_crash": EVERYTHING,
}

PLUGIN = """
from gnnbench.reference import backend, register_backend
import torch

class Wrong:
    name = "wrong"
    def bind(self, graph, *, device, dtype, self_loops="add"):
        layer = backend("csr").bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        def wrapped(x, weight, bias):
            mask = torch.zeros(x.shape[0], weight.shape[1], device=device)
            mask[-1, -1] = 1
            return layer(x, weight, bias) + mask
        return wrapped

register_backend(Wrong())
"""


def run_suite(folder, *arguments, path=()):
    """Run the suite in a process of its own; return (exit code, the document, what it printed)."""
    paths = [str(one) for one in path] + [one for one in [os.environ.get("PYTHONPATH")] if one]
    ended = subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", str(SUITE), "-q", "--tb=no", "-p", "no:cacheprovider"),
            *("--gnnbench-tier", "smoke", "--gnnbench-device", "cpu", "--gnnbench-output", str(folder)),
            *arguments,
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    documents = list(folder.glob("*/run.json"))
    assert len(documents) == 1, ended.stdout + ended.stderr
    return ended.returncode, load(documents[0]), ended.stdout


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """backend → check → the results, of one run over all broken backends."""
    _, run, _ = run_suite(
        tmp_path_factory.mktemp("mutants"),
        *("-p", "mutant_backends", "-k", f"m_ and {CHECKS} and not ({ELSEWHERE})"),
        path=[Path(__file__).parent],
    )
    found = defaultdict(lambda: defaultdict(list))
    for result in run.results:
        check, backend = re.match(r"equivalence/(\w+/\w+)\[(m_\w+?)-cpu", result.id).groups()
        found[backend][check].append(result)
    return found


@pytest.mark.parametrize("backend", RED)
def test_each_fault_turns_its_checks_red(results, backend):
    """And leaves the others green: the red ones say what kind of fault it is."""
    checks = results[backend]
    red = {name for name, of in checks.items() if any(result.outcome is Outcome.FAILED for result in of)}

    assert set(checks) == EVERYTHING
    assert red == RED[backend]


def test_margins_are_recorded_whatever_the_outcome(results):
    """All four quantities, where they passed and where they failed."""
    for backend, outcome in (("m_clean", Outcome.PASSED), ("m_entry", Outcome.FAILED)):
        for result in results[backend]["bounded/layer"]:
            assert result.outcome is outcome
            assert [margin.name for margin in result.margins] == ["forward", "dX", "dW", "db"]
            assert {margin.rule for margin in result.margins} == {"componentwise"}
            assert (result.worst_margin.ratio > 1) is (outcome is Outcome.FAILED)
    for result in results["m_clean"]["exact/gradients"]:
        assert [(margin.name, margin.error, margin.bound) for margin in result.margins] == [
            ("dX", 0, 0),
            ("dW", 0, 0),
            ("db", 0, 0),
        ]


def test_what_is_not_supported_is_listed_with_its_reason(results):
    """Not applicable, never passed."""
    for of in results["m_unsupported"].values():
        for result in of:
            assert result.outcome is Outcome.NOT_APPLICABLE
            assert result.finding.summary == "no kernel for Tuesdays"
            assert result.finding.needs == "backend:m_unsupported"


def test_a_failure_says_what_where_and_why(results):
    """Expected, found, the entry, the likely cause, and what to do."""
    finding = results["m_entry"]["exact/forward"][0].finding
    assert finding.summary.startswith("m_entry: forward: 1 of ")
    assert "node 0, channel 0" in finding.expected
    assert float(finding.found) - float(finding.expected.split()[0]) == 0.25
    assert finding.fix

    cause = results["m_no_loops"]["exact/forward"][0].finding.cause
    assert "self-loops are missing" in cause
    assert "illegal memory access" in results["m_crash"]["exact/forward"][0].finding.summary


def test_one_wrong_entry_turns_the_run_red(tmp_path):
    """A third party's plugin registers a backend: exit code 1 with it, 0 without it."""
    (tmp_path / "my_plugin.py").write_text(PLUGIN)
    select = ("-k", "(csr or wrong) and exact_plain and not compiled and not pyg")

    with_it, run, output = run_suite(tmp_path / "with", "-p", "my_plugin", *select, path=[tmp_path])
    assert with_it == ExitCode.CHECK_FAILED == run.exit_code
    assert {result.id for result in run.with_outcome(Outcome.FAILED)} == {
        "equivalence/exact/forward[wrong-cpu-exact_plain]",
        "equivalence/exact/self_loops[wrong-cpu-exact_plain-add_remaining]",
        "equivalence/exact/self_loops[wrong-cpu-exact_plain-none]",
    }
    assert "wrong: forward: 1 of " in output

    without, run, _ = run_suite(tmp_path / "without", *select)
    assert without == ExitCode.GOOD == run.exit_code
    assert run.results
    assert all(result.outcome is Outcome.PASSED for result in run.results)
