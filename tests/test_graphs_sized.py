"""gnnbench.graphs.sized: exact at every size, on both sides of every tile."""

import pytest
import torch

from gnnbench.graphs import Graph, balanced_exact_graph, disjoint_union, sized_exact_graph
from gnnbench.numerics import exact_inputs, gcn_oracle, normalised_adjacency, require_exact


@pytest.mark.parametrize("num_nodes", [*range(70), 127, 128, 129, 255, 256, 257, 1023, 1025, 8193])
def test_every_size_is_exact(num_nodes):
    """Degrees are powers of 4, nothing rounds, and PyG's paths have nothing to differ about."""
    graph = sized_exact_graph(num_nodes)
    assert graph.num_nodes == num_nodes
    assert set((graph.in_degree() + 1).tolist()) <= {1.0, 4.0, 16.0, 64.0}
    assert not graph.has_self_loops
    assert not graph.has_duplicate_edges
    inputs = exact_inputs(num_nodes)
    require_exact(gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream))
    if num_nodes > 1:
        assert graph.is_directed or num_nodes == 4
        assert graph.in_degree()[-1] > 0
    if num_nodes > 8:
        assert not bool((graph.target.diff() >= 0).all())
        assert not bool((graph.source.diff() >= 0).all())


def test_long_and_empty_rows_meet_at_every_tile():
    """On each multiple of 32 a long row begins, and an empty one ends there."""
    heard = torch.bincount(sized_exact_graph(1025).target, minlength=1025)
    assert heard[0] == heard[-1] == 63
    assert (heard[32:1024:32] == 15).all()
    assert (heard[31:1024:32] == 0).all()


@pytest.mark.parametrize("nodes", [(24,), (24, 40), (10, 32)])
def test_balanced_graphs_turned_around_are_the_transpose(nodes):
    """Â of the reversed graph is Âᵀ, and not Â."""
    graph = balanced_exact_graph(nodes)
    one, other = (
        torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64).index_put_(
            (a.target, a.source), a.value, accumulate=True
        )
        for a in (normalised_adjacency(graph), normalised_adjacency(graph.reversed()))
    )
    assert torch.equal(one.T, other)
    assert not torch.equal(one, other)
    assert set((graph.in_degree() + 1).tolist()) == {4.0, 16.0} if len(nodes) == 2 else {4.0}


def test_balanced_graphs_refuse_what_has_no_such_rings():
    """Steps that fall on one another would make duplicates."""
    with pytest.raises(ValueError, match=r"expected more than 9 in this ring, found 9"):
        balanced_exact_graph((9,))
    with pytest.raises(ValueError, match=r"at most 2 rings, found 3"):
        balanced_exact_graph((24, 40, 40))


def test_union_puts_graphs_side_by_side():
    """Nodes after nodes, weights of 1 where only some are weighted, and nothing of nothing."""
    union = disjoint_union(
        [
            Graph(torch.tensor([[0], [1]]), 3, torch.tensor([2.0])),
            Graph(torch.tensor([[1, 0], [0, 0]]), 2),
        ]
    )
    assert union.num_nodes == 5
    assert union.edge_index.tolist() == [[0, 4, 3], [1, 3, 3]]
    assert union.weights().tolist() == [2.0, 1.0, 1.0]
    assert disjoint_union([]).num_nodes == 0
    assert not disjoint_union([Graph(torch.tensor([[1], [0]]), 2)]).is_weighted
