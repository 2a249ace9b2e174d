"""gnnbench.graphs.exact_shapes: each graph has what it is named for, and its degrees are powers of 4."""

import pytest
import torch

from gnnbench.graphs import EXACT_SHAPES, EXACT_WEIGHTS, SELF_LOOPS, shaped_exact_graph
from gnnbench.numerics import exact_inputs, gcn_oracle, require_exact


@pytest.mark.parametrize("self_loops", SELF_LOOPS)
@pytest.mark.parametrize("weights", EXACT_WEIGHTS)
@pytest.mark.parametrize("shape", EXACT_SHAPES)
def test_nothing_can_round(shape, weights, self_loops):
    """Under its convention every degree is a power of 4, or 0, and no partial sum needs more bits than float32 has."""
    graph = shaped_exact_graph(shape, weights, self_loops)
    degree = graph.with_self_loops(self_loops).in_degree()
    assert set(degree.unique().tolist()) <= {0, 1, 4, 16, 256}
    for widths in ((6, 4), (4, 6)):
        operands = exact_inputs(graph.num_nodes, *widths)
        require_exact(
            gcn_oracle(
                graph, operands.x, operands.weight, operands.bias, operands.upstream, self_loops=self_loops
            )
        )


@pytest.mark.parametrize("weights", EXACT_WEIGHTS)
@pytest.mark.parametrize("self_loops", SELF_LOOPS)
def test_each_shape_has_what_it_is_named_for(weights, self_loops):
    graphs = {shape: shaped_exact_graph(shape, weights, self_loops) for shape in EXACT_SHAPES}
    loops = {shape: _most(graph.source[graph.source == graph.target]) for shape, graph in graphs.items()}

    assert loops == {shape: 2 if shape.startswith("two") else int("own" in shape) for shape in EXACT_SHAPES}
    assert all(
        graph.has_duplicate_edges == ("duplicates" in shape or "two" in shape)
        for shape, graph in graphs.items()
    )
    assert all(graph.is_directed and graph.is_weighted == (weights != "unweighted") for graph in graphs.values()
               if graph.num_edges)  # fmt: skip
    assert _most(graphs["a long row"].target) > 200
    assert graphs["no edges"].num_edges == 0
    assert all(int((graph.edge_index == graph.num_nodes - 1).sum()) == 0 for graph in graphs.values())


def test_weights_are_what_they_are_named_for():
    loops = shaped_exact_graph("own loops", "zero weights", "add_remaining")
    assert set(loops.weights()[loops.source == loops.target].tolist()) == {0.0}
    # Some nodes that could have a loop have none, and get one of weight 1.
    assert loops.with_self_loops("add_remaining").num_edges > loops.num_edges
    assert bool((shaped_exact_graph("plain", "zero weights").weights() == 0).any())
    assert bool((shaped_exact_graph("plain", "negative weights").weights() < 0).any())


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="found 'round' and 'weighted'"):
        shaped_exact_graph("round", "weighted")


def _most(nodes):
    return int(torch.bincount(nodes).max()) if len(nodes) else 0
