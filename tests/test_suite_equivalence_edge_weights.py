"""suites/equivalence/test_edge_weights.py: each way to get the gradient by edge weights wrong turns it red."""

import re
from collections import defaultdict
from pathlib import Path

import pytest
from suite_runs import run_suite

from gnnbench.record import Outcome

#: mutant → probes of `gradient` on which it must be red; `...` for all.
GRADIENT = {
    "wm_clean": set(),
    "wm_constant": ...,
    # Where there are duplicates.
    "wm_merged": {"mixed", "double_loop", "duplicates", "multigraph", "random"},
    "wm_averaged": {"mixed", "double_loop", "duplicates", "multigraph", "random"},
    # On all but none: every probe is unsorted.
    "wm_sorted": ...,
    "wm_first_only": ...,
    # The last edge of zero_weight has a gradient too: weight 0 is no reason for none.
    "wm_one_zero": ...,
    "wm_loops": {"mixed", "own_loops", "double_loop", "random"},
    "wm_double": ...,
    "wm_ulp": set(),
    "wm_nan": ...,
    "wm_kept": set(),
}

#: Mutants and the other checks that must be red; all others must be green.
OTHERS = {
    name: {"exact", "new_weights", "self_loops"} for name in GRADIENT if name not in {"wm_clean", "wm_kept"}
} | {
    "wm_clean": set(),
    "wm_kept": {"new_weights"},
    # exact_weighted has neither duplicates nor loops.
    "wm_merged": {"exact", "self_loops"},
    "wm_averaged": {"exact", "self_loops"},
    "wm_loops": {"exact", "self_loops"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of the file over all mutants."""
    folder = tmp_path_factory.mktemp("edge_weights")
    _, run = run_suite(
        folder,
        "equivalence/test_edge_weights.py",
        *("-p", "mutant_edge_weights", "-k", "wm_", "--gnnbench-tier=standard"),
        environment={"PYTHONPATH": f"{folder}:{Path(__file__).parent}:{Path(__file__).parents[1]}"},
    )
    return run


@pytest.fixture(scope="module")
def red(run):
    """mutant → check → parameters of the red ones, beside those of all."""
    found = defaultdict(lambda: defaultdict(lambda: (set(), set())))
    for result in run.results:
        check, mutant, rest = re.fullmatch(
            r"equivalence/edge_weights/(\w+)\[(wm_\w+?)-cpu-?(.*)\]", result.id
        ).groups()
        every, wrong = found[mutant][check]
        every.add(rest)
        if result.outcome is not Outcome.PASSED:
            wrong.add(rest)
    return found


@pytest.mark.parametrize("mutant", GRADIENT)
def test_each_mistake_is_caught_where_it_shows(red, mutant):
    """And nowhere else."""
    every, wrong = red[mutant]["gradient"]

    assert len(every) == 8
    assert wrong == (every if GRADIENT[mutant] is ... else GRADIENT[mutant])
    assert {check for check, (_, wrong) in red[mutant].items() if wrong} - {"gradient"} == OTHERS[mutant]


def test_what_lacks_the_capability_is_not_asked(red):
    """No rows of noise."""
    assert set(red) == set(GRADIENT)


def test_failures_name_the_cause_and_margins_are_recorded(run):
    """The gradient by edge weights stands beside the other four quantities."""
    by_id = {result.id: result for result in run.results}
    clean = by_id["equivalence/edge_weights/gradient[wm_clean-cpu-mixed]"]
    assert [margin.name for margin in clean.margins] == ["forward", "dX", "dW", "db", "d_edge_weight"]
    assert {margin.rule for margin in clean.margins} == {"componentwise"}

    finding = by_id["equivalence/edge_weights/gradient[wm_constant-cpu-mixed]"].finding
    assert finding.summary.startswith("wm_constant: d_edge_weight: ")
    assert "derivative by the degree is missing" in finding.cause
    finding = by_id["equivalence/edge_weights/exact[wm_sorted-cpu-exact_mixed]"].finding
    assert "sorted by target" in finding.cause
