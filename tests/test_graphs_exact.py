"""Exact probes: degrees are powers of 4, and nothing on them comes near what float32 rounds."""

import pytest
import torch

from gnnbench.graphs import EXACT_DEGREES, SELF_LOOPS, exact_probe_graphs
from gnnbench.numerics import exact_inputs, gcn_oracle
from gnnbench.numerics.exact import exact_headroom

CASES = [
    pytest.param(probe, mode, id=f"{probe.name}-{mode}")
    for mode in SELF_LOOPS
    for probe in exact_probe_graphs(mode)
]


@pytest.mark.parametrize(("probe", "mode"), CASES)
def test_every_normalised_degree_is_a_power_of_4(probe, mode):
    """Source and target of every edge alike, for both enter the entry of the matrix."""
    graph = probe.graph
    degrees = graph.with_self_loops(mode).in_degree()
    isolated = 1.0 if mode != "none" else 0.0

    assert set(degrees[:-1].tolist()) <= set(map(float, EXACT_DEGREES))
    assert float(degrees[-1]) == isolated
    assert not bool((graph.edge_index == graph.num_nodes - 1).any())


@pytest.mark.parametrize(("probe", "mode"), CASES)
def test_no_partial_sum_needs_more_than_half_of_float32(probe, mode):
    """Forward, dX, dW and db stay below 2^23 granules whatever the order of summation."""
    inputs = exact_inputs(probe.graph.num_nodes)
    oracle = gcn_oracle(probe.graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream, self_loops=mode)

    assert max(exact_headroom(oracle).values()) < 0.5


@pytest.mark.parametrize("mode", SELF_LOOPS)
def test_all_degrees_occur(mode):
    """Without a node of each degree, the set would promise more than it tests."""
    found = set()
    for probe in exact_probe_graphs(mode):
        found |= set(probe.graph.with_self_loops(mode).in_degree().tolist())

    assert found >= set(map(float, EXACT_DEGREES))


@pytest.mark.parametrize("mode", SELF_LOOPS)
def test_each_has_what_it_says(mode):
    """Weights, duplicates and self-loops where the names promise them, and nowhere else."""
    found = {
        probe.name: (probe.graph.is_weighted, probe.graph.has_duplicate_edges, probe.graph.has_self_loops)
        for probe in exact_probe_graphs(mode)
    }

    assert found == {
        "exact_plain": (False, False, False),
        "exact_weighted": (True, False, False),
        "exact_negative": (True, False, False),
        "exact_multigraph": (False, True, False),
        "exact_mixed": (True, True, True),
        "exact_hub_256": (False, False, False),
        "exact_hub_1024": (False, False, False),
        "exact_all": (True, False, False),
    }


@pytest.mark.parametrize(("probe", "mode"), CASES)
def test_all_are_directed_and_unsorted(probe, mode):
    """As for every probe: a transposed matrix and an assumed order must show."""
    assert probe.graph.is_directed
    assert bool((probe.graph.target.diff() < 0).any())


def test_they_are_the_same_each_time():
    """Graphs are made from fixed seeds, without touching the global generator."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    exact_probe_graphs.cache_clear()
    first = exact_probe_graphs()
    exact_probe_graphs.cache_clear()
    second = exact_probe_graphs()

    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.graph.edge_index, other.graph.edge_index)
    assert torch.equal(torch.get_rng_state(), before)
