"""gnnbench.numerics.rows: rows of the layer and of its gradient, as the whole oracle has them."""

import pytest
import torch

from gnnbench.graphs import Graph, power_law
from gnnbench.numerics import compare_rows, gcn_bound, gcn_oracle, real_inputs, rows_of_layer, sample_rows


@pytest.mark.parametrize("edges", [0, 1, 500])
def test_rows_of_the_gradient_are_those_of_the_oracle(edges):
    """dX is the layer on the transpose with Wᵀ, value and bound."""
    graph = power_law(40, edges, seed=3, device="cpu")
    given = real_inputs(40, 5, 3, seed=1)
    whole = gcn_oracle(graph, given.x, given.weight, given.bias, given.upstream)
    rows = sample_rows(graph)

    expected, bound = rows_of_layer(graph, rows, given.upstream, given.weight.t(), transposed=True)

    torch.testing.assert_close(expected, whole.dX[rows], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(bound, gcn_bound(whole, "dX")[rows], rtol=1e-6, atol=0.0)


def test_rows_that_are_asked_for_are_looked_at():
    """Besides those at random."""
    graph = power_law(100_000, 10, seed=0, device="cpu")
    rows = sample_rows(graph, besides=torch.tensor([99_999, 0, 99_999]))
    assert {0, 99_999} <= set(rows.tolist())
    assert torch.equal(rows, torch.unique(rows))


def test_weights_are_refused():
    """Their degrees round, and the bound does not say so."""
    graph = Graph(torch.tensor([[0], [1]]), 2, torch.ones(1))
    with pytest.raises(ValueError, match="expected one without weights"):
        rows_of_layer(graph, torch.tensor([0]), torch.ones(2, 1), torch.ones(1, 1))


def test_a_wrong_row_is_named_as_the_node_it_is():
    """Not by its place in the sample; and a NaN is beyond any bound."""
    rows = torch.tensor([2, 5, 9])
    got = torch.arange(20.0).view(10, 2)
    expected, bound = got[rows].double(), torch.zeros(3, 2, dtype=torch.float64)
    assert compare_rows("forward", got, rows, expected, bound).passed
    for wrong in (19.5, torch.nan):
        spoilt = got.clone()
        spoilt[9, 1] = wrong
        found = compare_rows("forward", spoilt, rows, expected, bound)
        assert not found.passed
    assert found.where == "node 9, channel 1"
    assert found.index == (9, 1)
    assert found.beyond == 1
