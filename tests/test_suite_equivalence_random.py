"""suites/equivalence/test_random.py: broken backends fail on a small graph, clean ones on none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from suite_runs import SUITES

from gnnbench.record import COUNTEREXAMPLE, ExitCode, Outcome, counterexamples, load

TESTS = Path(__file__).parent

#: As in an image without it, which a finder says before any other is asked.
NO_HYPOTHESIS = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hypothesis":
            raise ModuleNotFoundError(f"No module named {name!r}", name="hypothesis")
sys.meta_path.insert(0, Absent())
"""


def run_random(folder, *arguments):
    """Run the checks in a process of its own; return (exit code, {backend: result}, the document)."""
    ended = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                str(SUITES / "equivalence" / "test_random.py"),
                "-q",
                "--tb=short",
            ),
            *("-p", "no:cacheprovider", "-p", "random_backends", "--gnnbench-device", "cpu", *arguments),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), str(TESTS), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (path,) = folder.glob("reports/*/run.json")
    run = load(path)
    return ended.returncode, {result.facts["backend"]: result for result in run.results}, run


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """What came of all planted backends, and the folder in which it did."""
    folder = tmp_path_factory.mktemp("random")
    code, results, run = run_random(folder, "-k", "r_ and not cudagraph")
    return code, results, run, folder


def test_each_backend_is_judged_as_it_is(broken):
    """Red, green, or not applicable with its reason."""
    code, results, _, _ = broken

    assert code == ExitCode.CHECK_FAILED
    assert {name: result.outcome.value for name, result in results.items()} == {
        "r_clean": "passed",
        "r_once": "failed",
        "r_turned": "failed",
        "r_refuses": "not_applicable",
        "r_picky": "passed",
        "r_crashes": "failed",
        "r_wavers": "failed",
    }
    assert results["r_refuses"].finding.needs == "backend:r_refuses"
    assert "no kernel for Tuesdays" in results["r_refuses"].finding.summary
    assert all(result.id == f"equivalence/random/layer[{name}-cpu]" for name, result in results.items())


def test_a_pass_says_on_how_many_graphs_and_how_close(broken):
    """As many are judged where some are refused, and the worst margin of each quantity is kept."""
    results = broken[1]
    for name in ("r_clean", "r_picky"):
        graphs = results[name].facts["graphs"]
        assert graphs["judged"] == 25
        assert 75 <= graphs["compared"] <= 100
        assert [margin.name for margin in results[name].margins] == ["forward", "dX", "dW", "db"]
        assert 0 < results[name].worst_margin.ratio < 1
        assert COUNTEREXAMPLE not in results[name].facts
    assert results["r_clean"].facts["graphs"]["unsupported"] == {}
    assert results["r_picky"].facts["graphs"]["unsupported"]["no kernel without weights"] > 5


def test_a_failure_is_about_the_smallest_graph(broken):
    """Message, margins and record are those of two nodes with two equal edges, and of no attempt before."""
    result = broken[1]["r_once"]

    assert "on 2 nodes, 2 edges (0→1, 0→1; unweighted; duplicates), F = 1, C = 1" in result.finding.summary
    assert "duplicate edges count once" in result.finding.cause
    (document,) = broken[3].glob("reports/*/run.json")
    command = f"gnnbench replay {document} -- -p random_backends"
    assert result.finding.fix == f"Run this graph again, from the document of this run: `{command}`"
    assert "node" in result.finding.expected
    assert 3 <= len(result.margins) <= 4
    assert result.worst_margin.ratio > 1000


def test_the_graph_is_recorded_whole(broken):
    """Every operand, in the document and out of it again."""
    found = {result.facts["backend"]: example for result, example in counterexamples(broken[2])}

    assert set(found) == {"r_once", "r_turned", "r_crashes", "r_wavers"}
    once = found["r_once"]
    assert (once.backend, once.device, once.num_nodes) == ("r_once", "cpu", 2)
    assert once.edge_index == ((0, 0), (1, 1))
    assert once.edge_weight is once.bias is None
    assert once.x == once.upstream == ((1.0,), (1.0,))
    assert once.weight == ((1.0,),)
    assert found["r_turned"].edge_index == ((0,), (1,))


def test_a_crash_is_told_with_its_graph(broken):
    """One edge and a node behind it."""
    result = broken[1]["r_crashes"]

    assert result.finding.summary.startswith(
        "r_crashes: IndexError: index out of range in self, on 3 nodes, 1 edge"
    )
    assert result.finding.found == "an exception"
    assert "random_backends.py" in result.log


def test_an_answer_that_wavers_is_told_as_such(broken):
    """The same graph failed and passed."""
    assert (
        "the same graph passed, so that the answer is not repeatable" in broken[1]["r_wavers"].finding.summary
    )


def test_nothing_but_the_report_is_left_behind(broken):
    """No database of examples."""
    assert {path.name for path in broken[3].iterdir()} <= {"reports", ".benchmarks"}


def test_outcomes_repeat(broken, tmp_path):
    """Alone and in another process, the same graphs give the same numbers."""
    _, results, _ = run_random(tmp_path, "-k", "r_clean or r_once")

    for name in ("r_clean", "r_once"):
        assert results[name].margins == broken[1][name].margins
        assert results[name].facts == broken[1][name].facts


def test_real_backends_pass(tmp_path):
    """Those of gnnbench that need no compiler."""
    code, results, _ = run_random(
        tmp_path, "-k", "(coo or csc or csr or index_add) and not compiled and not cudagraph"
    )

    assert code == ExitCode.GOOD
    assert set(results) == {"coo", "csc", "csr", "index_add"}
    assert all(result.outcome is Outcome.PASSED for result in results.values())


def test_without_hypothesis_nothing_can_be_judged(tmp_path):
    """Not applicable, with the package that lacks; required, it fails."""
    (tmp_path / "no_hypothesis.py").write_text(NO_HYPOTHESIS)
    select = ("-p", "no_hypothesis", "-p", "no:hypothesispytest", "-k", "r_clean")
    _, results, _ = run_random(tmp_path, *select)

    assert results["r_clean"].outcome is Outcome.NOT_APPLICABLE
    assert results["r_clean"].finding.needs == "package:hypothesis"
    assert results["r_clean"].finding.fix == "pip install hypothesis"
