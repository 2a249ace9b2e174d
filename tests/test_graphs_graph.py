"""Graph: what it refuses, in which words, and what it derives."""

import math

import pytest
import torch

from gnnbench.graphs import Graph
from gnnbench.graphs import graph as graph_module

EDGES = torch.tensor([[0, 1, 2, 2, 0], [1, 2, 2, 0, 1]])
WEIGHTS = torch.tensor([0.5, 2.0, 3.0, 1.0, 0.25])


def make(**changed):
    given = {"edge_index": EDGES, "num_nodes": 4, "edge_weight": WEIGHTS} | changed
    return Graph(**given)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_nodes": 2.0}, "num_nodes: expected an int, found 2.0"),
        ({"num_nodes": True}, "num_nodes: expected an int, found True"),
        ({"num_nodes": -1}, "num_nodes = -1: expected 0 or more"),
        ({"edge_index": [[0], [1]]}, "edge_index: expected a torch.Tensor, found list"),
        (
            {"edge_index": EDGES.to_sparse()},
            "edge_index: expected a dense tensor, found layout torch.sparse_coo",
        ),
        ({"edge_index": EDGES.int()}, "edge_index: expected dtype torch.int64, found torch.int32"),
        (
            {"edge_index": EDGES.T},
            "edge_index: expected shape [2, E] (row 0 sources, row 1 targets), found [5, 2]",
        ),
        (
            {"edge_index": EDGES[0]},
            "edge_index: expected shape [2, E] (row 0 sources, row 1 targets), found [5]",
        ),
        ({"num_nodes": 2}, "edge_index[1, 1] = 2: expected a node in [0, 2)"),
        ({"num_nodes": 0}, "edge_index[0, 0] = 0: expected a node in [0, 0)"),
        (
            {"edge_index": torch.tensor([[0, 1, 2, 2, 0], [1, 2, 2, -3, 1]])},
            "edge_index[1, 3] = -3: expected a node in [0, 4)",
        ),
        (
            {"edge_index": torch.tensor([[0, 1, 2, 2, 9], [1, 2, 2, 0, 1]])},
            "edge_index[0, 4] = 9: expected a node in [0, 4)",
        ),
        ({"edge_weight": [1.0] * 5}, "edge_weight: expected a torch.Tensor or None, found list"),
        (
            {"edge_weight": WEIGHTS.to_sparse()},
            "edge_weight: expected a dense tensor, found layout torch.sparse_coo",
        ),
        (
            {"edge_weight": torch.ones(5, dtype=torch.int64)},
            "edge_weight: expected a floating point dtype, found torch.int64",
        ),
        ({"edge_weight": WEIGHTS[:, None]}, "edge_weight: expected shape [E], found [5, 1]"),
        ({"edge_weight": WEIGHTS[:4]}, "edge_weight: expected one weight an edge, 5, found 4"),
        (
            {"edge_weight": WEIGHTS.to("meta")},
            "edge_weight: expected it on cpu beside edge_index, found it on meta",
        ),
        (
            {"edge_weight": torch.tensor([1.0, math.nan, 1.0, math.nan, 1.0])},
            "edge_weight[1] = nan: expected a finite number",
        ),
        (
            {"edge_weight": torch.tensor([1.0, 1.0, 1.0, -math.inf, 1.0])},
            "edge_weight[3] = -inf: expected a finite number",
        ),
        (
            {"edge_weight": torch.tensor([1.0, 1.0, 1.0, 1.0, math.inf])},
            "edge_weight[4] = inf: expected a finite number",
        ),
    ],
)
def test_it_names_the_first_bad_entry(changed, message):
    """Each way to be wrong has a message that says what was expected, where, and what was found."""
    with pytest.raises(ValueError, match=r"edge_|num_nodes") as raised:
        make(**changed)

    assert str(raised.value) == message


def test_bad_entries_are_found_past_the_first_chunk(monkeypatch):
    """The index in the message counts from the start of the tensor, not of the part that was looked at."""
    monkeypatch.setattr(graph_module, "_CHUNK", 2)

    with pytest.raises(ValueError, match=r"edge_index\[0, 4\] = 9"):
        make(edge_index=torch.tensor([[0, 1, 2, 2, 9], [1, 2, 2, 0, 1]]))
    with pytest.raises(ValueError, match=r"edge_weight\[3\] = nan"):
        make(edge_weight=torch.tensor([1.0, 1.0, 1.0, math.nan, 1.0]))


def test_a_graph_may_have_no_edges_and_no_nodes():
    """Empty is not wrong."""
    none = torch.zeros(2, 0, dtype=torch.int64)

    assert Graph(none, 3, torch.zeros(0)).num_edges == 0
    assert Graph(none, 0).in_degree().tolist() == []


def test_it_tells_what_it_is():
    """Counts, ends and properties are read off the edges."""
    graph = make()

    assert graph.num_edges == 5
    assert graph.source.tolist() == [0, 1, 2, 2, 0]
    assert graph.target.tolist() == [1, 2, 2, 0, 1]
    assert graph.device == torch.device("cpu")
    assert graph.is_weighted
    assert graph.has_self_loops
    assert graph.has_duplicate_edges
    assert graph.is_directed
    assert graph.in_degree().tolist() == [1.0, 0.75, 5.0, 0.0]
    assert graph.in_degree().dtype == torch.float64


def test_it_tells_what_it_is_not():
    """The same questions, answered no; duplicates that add up to symmetry are symmetric."""
    plain = Graph(torch.tensor([[0, 1, 1], [1, 0, 2]]), 3)
    assert not plain.is_weighted
    assert not plain.has_self_loops
    assert not plain.has_duplicate_edges
    assert plain.weights().tolist() == [1.0, 1.0, 1.0]
    assert plain.is_directed

    both_ways = Graph(torch.tensor([[0, 1, 0], [1, 0, 1]]), 2, torch.tensor([0.5, 2.0, 1.5]))
    assert not both_ways.is_directed
    weighted = Graph(torch.tensor([[0, 1], [1, 0]]), 2, torch.tensor([0.5, 2.0]))
    assert weighted.is_directed


@pytest.mark.parametrize(
    ("mode", "edges", "weights"),
    [
        ("none", [[0, 1, 2, 2, 0], [1, 2, 2, 0, 1]], [0.5, 2.0, 3.0, 1.0, 0.25]),
        (
            "add",
            [[0, 1, 2, 2, 0, 0, 1, 2, 3], [1, 2, 2, 0, 1, 0, 1, 2, 3]],
            [0.5, 2.0, 3.0, 1.0, 0.25, 1.0, 1.0, 1.0, 1.0],
        ),
        (
            "add_remaining",
            [[0, 1, 2, 2, 0, 0, 1, 3], [1, 2, 2, 0, 1, 0, 1, 3]],
            [0.5, 2.0, 3.0, 1.0, 0.25, 1.0, 1.0, 1.0],
        ),
    ],
)
def test_self_loops_follow_the_convention(mode, edges, weights):
    """'add' gives every node one more loop, 'add_remaining' only those that have none."""
    looped = make().with_self_loops(mode)

    assert looped.edge_index.tolist() == edges
    assert looped.edge_weight.tolist() == weights


def test_self_loops_leave_an_unweighted_graph_unweighted():
    """Loops of weight 1 need no weights where there were none."""
    assert make(edge_weight=None).with_self_loops("add").edge_weight is None


def test_an_unknown_self_loop_convention_is_refused():
    """The message lists what there is."""
    with pytest.raises(ValueError, match="expected one of 'add', 'add_remaining', 'none', found 'fill_diag'"):
        make().with_self_loops("fill_diag")


def test_reversed_turns_every_edge_around():
    """The adjacency matrix of the reversed graph is the transpose."""
    graph = make().reversed()

    assert graph.source.tolist() == make().target.tolist()
    assert graph.target.tolist() == make().source.tolist()
    assert graph.edge_weight.tolist() == WEIGHTS.tolist()


def test_to_the_device_where_it_is_copies_nothing():
    """A graph that is in place is returned as it is."""
    graph = make()

    assert graph.to("cpu") is graph
