"""The power-law generator: its size, its degrees, and that a seed means one graph."""

import math

import pytest
import torch

from gnnbench.graphs import generators, power_law


def test_it_has_the_size_asked_for():
    """E edges exactly, duplicates counted, and no self-loops."""
    graph = power_law(1000, 12_345, seed=0, device="cpu")

    assert (graph.num_nodes, graph.num_edges) == (1000, 12_345)
    assert not graph.has_self_loops
    assert graph.is_directed
    assert not graph.is_weighted


@pytest.mark.parametrize("exponent", [2.2, 2.5, 3.0])
def test_degrees_follow_the_power_law(exponent):
    """Hill's estimator of the tail, on in- and out-degrees, finds the exponent that was asked for."""
    graph = power_law(50_000, 1_000_000, exponent=exponent, seed=3, device="cpu")

    for ends in (graph.source, graph.target):
        degree = torch.bincount(ends, minlength=graph.num_nodes).double().sort(descending=True).values
        # The tail, without the very largest hubs, which are few and far from their mean.
        tail = degree[10:1000]
        estimate = 1 + len(tail) / float((tail / tail[-1]).log().sum())
        assert math.isclose(estimate, exponent, rel_tol=0.15)


def test_a_seed_is_one_graph():
    """Same seed, same graph; another seed, another."""
    first, again, other = (power_law(500, 3000, seed=seed, device="cpu") for seed in (5, 5, 6))

    assert torch.equal(first.edge_index, again.edge_index)
    assert not torch.equal(first.edge_index, other.edge_index)


def test_it_leaves_the_global_generator_alone():
    """A check that makes a graph doesn't change what the next one draws."""
    before = torch.get_rng_state()
    power_law(50, 300, seed=1, device="cpu")

    assert torch.equal(torch.get_rng_state(), before)


def test_hubs_are_scattered_over_the_nodes():
    """Node 0 is not the hub, and sources and targets have different ones."""
    graph = power_law(2000, 40_000, seed=0, device="cpu")

    hubs = [int(torch.bincount(ends).argmax()) for ends in (graph.source, graph.target)]
    assert hubs[0] != hubs[1]
    assert 0 not in hubs


def test_work_is_done_in_chunks(monkeypatch):
    """Every chunk is filled and freed of self-loops, the last and shorter one too."""
    monkeypatch.setattr(generators, "_CHUNK", 64)
    graph = power_law(10, 1000, seed=2, device="cpu")

    assert graph.num_edges == 1000
    assert not graph.has_self_loops
    assert int(torch.bincount(graph.source, minlength=10).min()) > 0


def test_one_node_keeps_its_loops():
    """With a single node there is nowhere else to go."""
    graph = power_law(1, 3, seed=0, device="cpu")

    assert graph.edge_index.tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_nodes": 0}, "num_nodes = 0: expected 1 or more"),
        ({"num_edges": -1}, "num_edges = -1: expected 0 or more"),
        ({"exponent": 2.0}, "exponent = 2.0: expected more than 2"),
        ({"exponent": math.nan}, "exponent = nan: expected more than 2"),
    ],
)
def test_what_makes_no_graph_is_refused(arguments, message):
    """Sizes and exponents out of range are named."""
    with pytest.raises(ValueError, match=message):
        power_law(**({"num_nodes": 5, "num_edges": 5, "seed": 0, "device": "cpu"} | arguments))
