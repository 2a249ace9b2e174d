"""suites/equivalence, numbers and derivatives: each way to be wrong turns the check red that is meant for it."""

from collections import defaultdict

import pytest
from suite_runs import judge_backends

from gnnbench.record import Outcome

#: backend → a check that must be red. The clean twin has none.
RED = {
    "v_clamp": "algebra/scaling",
    "v_clamp_gradient": "algebra/scaling",
    "v_dead_zone": "algebra/scaling",
    "v_flush": "magnitudes/subnormal",
    "v_flush_x": "magnitudes/subnormal",
    "v_flush_gradient": "magnitudes/subnormal",
    "v_epsilon_12": "algebra/weight_scaling",
    "v_epsilon_8": "algebra/weight_scaling",
    "v_epsilon_6": "algebra/weight_scaling",
    "v_epsilon_30": "algebra/weight_scaling",
    "v_floor": "magnitudes/own_loops",
    "v_ceiling": "magnitudes/large_weights",
    "v_infinite": "magnitudes/large_weights",
    "v_at_least_1": "magnitudes/small_degrees",
    "v_product": "algebra/weight_scaling",
    "v_small_loops": "magnitudes/own_loops",
    "v_small_weights": "algebra/weight_scaling",
    "v_large_weights": "magnitudes/large_weights",
    "v_equal": "edge_values/equal_weights",
    "v_many": "edge_values/many_edges[unsorted]",
    "v_many_by_target": "edge_values/many_edges[sorted by target]",
    "v_many_by_source": "edge_values/many_edges[sorted by source]",
    "v_detached": "second_derivatives/layer",
    "v_numpy": "second_derivatives/layer",
    "v_operands": "second_derivatives/layer",
    "v_twice_wrong": "second_derivatives/layer",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """backend → check → its result, of one run over all of them."""
    folder = tmp_path_factory.mktemp("values")
    keyword = "v_ and (test_algebra or test_magnitudes or test_edge_values or test_second_derivatives)"
    found = defaultdict(dict)
    for backend, check, parameter, result in judge_backends(folder, "value_backends", keyword):
        found[backend][f"{check}[{parameter}]" if parameter else check] = result
    return found


@pytest.mark.parametrize("backend", RED)
def test_its_check_is_red(results, backend):
    """The check that is there for it sees it."""
    assert results[backend][RED[backend]].outcome is Outcome.FAILED


def test_the_clean_twin_is_green(results):
    """The same layer without a fault passes all of them."""
    assert {result.outcome for result in results["v_clean"].values()} == {Outcome.PASSED}


def test_a_refusal_is_recorded_and_is_no_fault(results):
    """once_differentiable is what a layer should say; what is left is judged."""
    refused = results["v_once"]["second_derivatives/layer"]

    assert refused.outcome is Outcome.PASSED
    assert refused.facts["refused"] == [
        f"{name}, {order}" for order in ("narrowing", "widening") for name in ("dX", "dW")
    ]
    assert "once_differentiable" in refused.facts["refusal"]


def test_what_is_cut_off_is_named(results):
    """So that the reader knows which of the derivatives lacks what."""
    assert "cut off" in results["v_detached"]["second_derivatives/layer"].finding.summary
    assert "gradient of dX by W" in results["v_operands"]["second_derivatives/layer"].finding.summary
