"""suites/equivalence, sizes and what happens to programs: each way to be wrong turns the check red that is meant for it."""

import pytest
import torch
from suite_runs import judge_backends, red_checks

from gnnbench.graphs import CROWDED_DEGREE, crowded_exact_graph
from suites.equivalence.test_counts import hub_case, messages_case

#: backend → a check that must be red. The clean twin has none.
RED = {
    "v_nodes_512": "shapes/node_counts",
    "v_nodes_1024": "shapes/node_counts",
    "v_nodes_2048": "shapes/node_counts",
    "v_nodes_4096": "shapes/node_counts",
    "v_row_65535": "counts/hub",
    "v_row_65800": "counts/messages",
    "v_degree_16": "counts/hub",
    "v_messages": "counts/messages",
    "v_nodes_and_edges": "large_index/rows",
    "v_collected": "events/collection",
    "v_after_exception": "events/failed_call",
    "v_left_in_backward": "events/failed_call",
    "v_call_40": "soak/repeated",
    "v_call_150": "soak/repeated",
    "v_wide_tf32": "precision/wide",
    "v_wide_tf32_infer": "precision/wide",
}

#: A million rows take more than a second each time.
SELECTED = (
    "v_ and (node_counts or test_counts or test_events or test_repeated or test_precision) "
    "or test_rows and (v_clean or v_nodes_and_edges)"
)


@pytest.fixture(scope="module")
def red(tmp_path_factory):
    """backend → the checks it turned red, of one run over all of them."""
    return red_checks(judge_backends(tmp_path_factory.mktemp("events"), "event_backends", SELECTED))


@pytest.mark.parametrize("backend", RED)
def test_its_check_is_red(red, backend):
    """The check that is there for it sees it, and of these no other, but that both of hubs may."""
    assert RED[backend] in red[backend]
    hubs = {"counts/hub", "counts/messages"}
    assert red[backend] <= (hubs if RED[backend] in hubs else {RED[backend]})


def test_the_clean_twin_is_green(red):
    assert not red["v_clean"]


def test_the_counts_are_what_they_are_there_for():
    """Hubs of exactly 65,536 real edges; more than 2^21 in all, at 65,536 messages with the loop and around."""
    hub, messages = hub_case().graph, messages_case().graph
    assert torch.bincount(hub.target)[:3].tolist() == [CROWDED_DEGREE] * 3
    assert not hub.is_weighted
    assert messages.num_edges > 1 << 21
    assert torch.bincount(messages.target)[:5].tolist() == [
        CROWDED_DEGREE - 1 + more for more in (0, 1, 2, 300, 0)
    ]
    assert set(messages.with_self_loops("add").in_degree().tolist()) == {CROWDED_DEGREE, 4, 1}
    assert not messages.has_self_loops


@pytest.mark.parametrize("splits", [(0,), (0, 1)])
def test_crowded_graphs_refuse_what_they_can_not_be(splits):
    with pytest.raises(ValueError, match="two hubs or more, and none split without weights"):
        crowded_exact_graph(splits, weighted=False)
