"""The stand-in for Cora has Cora's shape."""

import pytest
import torch

from gnnbench.graphs import stochastic_block_model_cora


@pytest.fixture(scope="module")
def data():
    return stochastic_block_model_cora()


def test_it_has_the_shape_of_cora(data):
    """Nodes, edges, words, classes and split are those of the public data set."""
    assert data.graph.num_nodes == 2708
    assert data.graph.num_edges == 2 * 5278
    assert tuple(data.features.shape) == (2708, 1433)
    assert data.num_features == 1433
    assert data.num_classes == 7
    assert sorted(data.labels.bincount().tolist()) == [180, 217, 298, 351, 418, 426, 818]
    assert data.labels[data.train_mask].bincount().tolist() == [20] * 7
    assert [int(mask.sum()) for mask in (data.train_mask, data.val_mask, data.test_mask)] == [140, 500, 1000]
    assert int((data.train_mask.int() + data.val_mask.int() + data.test_mask.int()).max()) == 1


def test_its_graph_is_that_of_citations(data):
    """Undirected, simple, with a tail of hubs, and mostly within classes."""
    graph = data.graph
    same = data.labels[graph.source] == data.labels[graph.target]

    assert not graph.is_directed
    assert not graph.has_self_loops
    assert not graph.has_duplicate_edges
    assert 0.78 < float(same.double().mean()) < 0.86
    assert int(graph.in_degree().max()) > 40


def test_its_features_are_sparse_rows_that_sum_to_one(data):
    """About 18 words a node; the dense form holds the same numbers."""
    dense = data.dense_features()
    sums = dense.double().sum(dim=1)

    assert data.features.layout == torch.sparse_csr
    assert 16 < data.features.values().numel() / 2708 <= 18
    assert float((sums - 1).abs().max()) < 1e-5
    assert int((dense != 0).sum()) == data.features.values().numel()


def test_a_seed_is_one_data_set(data):
    """Same seed, same data; another seed, other edges and words; the global generator is left alone."""
    before = torch.get_rng_state()
    again, other = stochastic_block_model_cora(0), stochastic_block_model_cora(1)

    assert torch.equal(again.graph.edge_index, data.graph.edge_index)
    assert torch.equal(again.features.values(), data.features.values())
    assert torch.equal(again.train_mask, data.train_mask)
    assert not torch.equal(other.graph.edge_index, data.graph.edge_index)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_moves_as_a_whole(data):
    """Every tensor goes along."""
    moved = data.to("cpu")

    assert moved.graph.device == torch.device("cpu")
    assert torch.equal(moved.labels, data.labels)
    assert (moved.name, moved.num_classes) == (data.name, data.num_classes)
