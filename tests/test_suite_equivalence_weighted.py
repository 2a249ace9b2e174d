"""suites/equivalence, layers with edge weights: each way to be wrong turns the check red that is meant for it."""

from collections import defaultdict

import pytest
from suite_runs import judge_backends
from weighted_backends import FROZEN

from gnnbench.record import Outcome

#: backend → a check that must be red. The clean twin has none.
RED = {one.name: "weighted_operands/frozen" for one in FROZEN} | {
    "wu_nograd_frozen": "weighted_layer/layer[use]",
    "wu_inference": "weighted_layer/layer[use]",
    "wu_stale_id": "weighted_calls/changed_weights[frozen]",
    "wu_stale_address": "weighted_calls/changed_weights[frozen]",
    "wu_stale_learnt": "weighted_calls/changed_weights[learnt]",
    "wu_stale_inference": "weighted_calls/changed_weights[learnt]",
    "wu_bound": "weighted_calls/bound_weights",
    "wu_twice": "weighted_calls/backward_twice",
    "wu_interleaved": "weighted_calls/interleaved",
    "wu_no_edges": "weighted_operands/sizes",
    "wu_one_edge": "weighted_operands/sizes",
    "wu_many": "weighted_operands/many_edges[unsorted]",
    "wu_many_sorted": "weighted_operands/many_edges[sorted by target]",
    "wu_many_by_source": "weighted_operands/many_edges[sorted by source]",
    "wu_many_frozen": "weighted_layer/layer[shapes]",
    "wu_equal": "weighted_operands/equal_weights",
    "wu_equal_gradient": "weighted_operands/equal_weights",
    "wu_strides": "weighted_operands/views",
    "wu_offset": "weighted_operands/views",
    "wu_widening": "weighted_operands/frozen",
    "wu_odd_channels": "weighted_operands/sizes",
    "wu_column_major": "weighted_operands/views",
    "wu_float32": "weighted_operands/float64",
    "wu_float32_gradient": "weighted_operands/float64",
    "wu_epsilon": "weighted_operands/weight_scaling",
    "wu_clamp": "weighted_layer/layer[magnitudes]",
    "wu_floor": "weighted_layer/layer[magnitudes]",
    "wu_second": "second_derivatives/edge_weights",
    "wu_second_by_edge": "second_derivatives/edge_weights",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """backend → check → its result, of one run over all of them."""
    folder = tmp_path_factory.mktemp("weighted")
    keyword = (
        "(wf_ and test_frozen) or (wu_ and (weighted_ or second_derivatives) and not (probes or relations))"
    )
    found = defaultdict(dict)
    for backend, check, parameter, result in judge_backends(folder, "weighted_backends", keyword):
        found[backend][f"{check}[{parameter}]" if parameter else check] = result
    return found


@pytest.mark.parametrize("backend", RED)
def test_its_check_is_red(results, backend):
    """The check that is there for it sees it."""
    assert results[backend][RED[backend]].outcome is Outcome.FAILED


def test_the_clean_twin_is_green(results):
    """The same layer without a fault passes all of them; second derivatives of bind have a file of their own."""
    red = {
        name: result.finding
        for name, result in results["wu_clean"].items()
        if result.outcome is not Outcome.PASSED
    }
    assert red == {}


def test_what_is_borrowed_says_what_to_do(results):
    """A check of another file that fails is named, and its own fix is shown."""
    finding = results["wu_inference"]["weighted_layer/layer[use]"].finding

    assert finding.summary.startswith("bind_weighted: inference")
    assert "torch.no_grad and eval()" in finding.fix
