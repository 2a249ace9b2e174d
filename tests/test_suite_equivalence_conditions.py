"""suites/equivalence, where conditions meet: each mutant turns its check red, and the failure names the conditions."""

from collections import defaultdict

import pytest
from suite_runs import judge_backends

from gnnbench.record import Outcome
from suites.equivalence.conditions import FACTORS, combinations, needed, possible

#: backend → the conditions that its failure must name, and no others. Several where several are wrong.
NAMED = {
    "k_strided_widening": {"F < C"},
    "k_strided_no_bias": {"no bias"},
    "k_infer_no_bias_widening": {"no bias", "F < C"},
    "k_infer_strided_weight": {"inference_mode"},
    "k_unasked": {"no gradient asked for"},
    "k_dw_widening": {"dW and db", "F < C"},
    "k_dx_square": {"dX and db", "F = C"},
    "k_frozen_bias": {"dX and dW", "F < C"},
    "k_strided_g_no_bias": {"no bias"},
    "k_strided_g_frozen": {"dW alone", "G one_number"},
    "k_strided_remaining": {"self_loops 'add_remaining'"},
    "k_strided_none": {"self_loops 'none'"},
    "k_one_loop_add": {"self_loops 'add'", "two loops a node"},
    "k_one_loop_add_remaining": {"self_loops 'add_remaining'", "two loops a node"},
    "k_one_loop_none": {"self_loops 'none'", "two loops a node"},
    "k_unique": {"self_loops 'add_remaining'", "unweighted"},
    "k_zero_loops": {"self_loops 'add_remaining'", "zero weights"},
    "k_long_none": {"self_loops 'none'", "a long row"},
}


#: backend → the factors of which one level of several that would do is named besides.
MORE = {
    "k_strided_widening": {"x"},
    "k_strided_no_bias": {"x"},
    "k_infer_no_bias_widening": {"call"},
    "k_infer_strided_weight": {"W"},
    "k_strided_g_no_bias": {"G"},
    "k_strided_remaining": {"x", "weights"},
    "k_strided_none": {"x", "weights"},
    "k_unique": {"graph"},
    "k_zero_loops": {"graph"},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """check → backend → its result, of one run over all of them."""
    results = defaultdict(dict)
    for one in judge_backends(
        tmp_path_factory.mktemp("conditions"), "condition_backends", "k_ and (combinations)"
    ):
        results[one.check][one.backend] = one.result
    return results


@pytest.mark.parametrize("backend", NAMED)
def test_the_failure_names_the_conditions(found, backend):
    """Red, and the conditions that are needed are told, and a layout where a stride is what is wrong."""
    result = found["conditions/combinations"][backend]
    assert result.outcome is Outcome.FAILED
    (first, *_) = result.facts["wrong_where"]
    # Of two pairs of widths that widen, one is met first.
    levels = {factor: "F < C" if level == "C > F > 32" else level for factor, level in first.items()}
    assert NAMED[backend] <= set(levels.values())
    more = {factor for factor, level in levels.items() if level not in NAMED[backend]}
    assert more <= MORE.get(backend, set())
    assert " and ".join(first.values()) in result.finding.summary


def test_the_clean_twin_is_green(found):
    assert all(results["k_clean"].outcome is Outcome.PASSED for results in found.values())


@pytest.mark.parametrize("strength", [2, 3])
def test_failures_are_told_by_what_they_need(strength):
    """Whichever three conditions make it fail, these are found, and nothing impossible is tried on the way."""
    asked = {"x": "x window", "bias": "no bias", "call": "dX alone"}

    def fails(row):
        assert possible(row)
        return asked.items() <= row.items()

    failing = [row for row in combinations(strength) if fails(row)]
    assert failing or strength == 2
    assert all(needed(row, fails) == asked for row in failing)


def test_a_failure_everywhere_needs_nothing():
    assert all(needed(row, lambda _: True) == {} for row in combinations(2))


LEVELS = [(factor, level) for factor, levels in FACTORS.items() for level in levels if level != "no G"]


@pytest.mark.parametrize(("factor", "level"), LEVELS)
def test_each_condition_alone_is_found(factor, level):
    """The plain ones too."""
    failing = [row for row in combinations(2) if row[factor] == level]
    assert failing
    assert all(needed(row, lambda one: one[factor] == level) == {factor: level} for row in failing)
