"""The probe graphs have what they say they have: otherwise the faults they are there for hide."""

import pytest
import torch

from gnnbench.graphs import probe_graphs
from gnnbench.graphs.probes import ProbeGraph

PROBES = {probe.name: probe for probe in probe_graphs()}
UNDIRECTED = {"undirected", "two_edges", "no_edges", "one_node", "one_loop"}
SORTED = {"undirected", "single_edge", "no_edges", "one_node", "one_loop", "power_law"}


def graph(name):
    return PROBES[name].graph


def out_degree(g):
    return torch.bincount(g.source, minlength=g.num_nodes)


def in_degree(g):
    return torch.bincount(g.target, minlength=g.num_nodes)


def test_names_are_unique_and_stable():
    """Names are part of the ids of checks, which history compares over years."""
    assert [probe.name for probe in probe_graphs()] == [
        "mixed",
        "directed",
        "own_loops",
        "double_loop",
        "duplicates",
        "multigraph",
        "unweighted",
        "undirected",
        "isolated",
        "zero_weight",
        "single_edge",
        "two_edges",
        "no_edges",
        "one_node",
        "one_loop",
        "width_1",
        "widening",
        "hub",
        "hub_2049",
        "random",
        "power_law",
    ]


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_each_says_what_it_is_for(probe: ProbeGraph):
    """Every probe explains itself and belongs to a tier."""
    assert len(probe.why) > 30
    assert probe.tier in {"smoke", "standard"}


@pytest.mark.parametrize("name", [name for name in PROBES if name not in UNDIRECTED])
def test_all_but_the_controls_are_directed(name):
    """On an undirected graph A in place of its transpose is exactly invisible."""
    assert graph(name).is_directed


@pytest.mark.parametrize("name", [name for name in PROBES if name not in SORTED])
def test_edges_are_unsorted(name):
    """A backend that takes edges to be sorted by target must be caught."""
    assert bool((graph(name).target.diff() < 0).any())


def test_mixed_has_everything_at_once():
    """Rule 4 of the fault catalogue, on one small graph."""
    g = graph("mixed")
    loops = g.edge_weight[g.source == g.target]
    degree = in_degree(g) + out_degree(g)

    assert g.is_weighted
    assert loops.tolist() == [2.5]
    assert g.has_duplicate_edges
    assert degree[-1] == 0
    assert int((degree[:-1] == 0).sum()) >= 2
    assert bool(((in_degree(g) == 0) & (out_degree(g) > 0)).any())


def test_directed_suits_every_path():
    """No self-loops and no duplicates, so no path of PyG may decline it; yet weighted, with idle nodes."""
    g = graph("directed")

    assert g.is_weighted
    assert not g.has_self_loops
    assert not g.has_duplicate_edges
    assert in_degree(g)[-1] + out_degree(g)[-1] == 0
    assert bool(((in_degree(g) == 0) & (out_degree(g) > 0)).any())


def test_loops_and_duplicates_are_where_they_are_said_to_be():
    """Each of the four probes differs from 'directed' in its own way."""
    own, double = graph("own_loops"), graph("double_loop")

    assert own.has_self_loops
    assert not own.has_duplicate_edges
    assert torch.bincount(double.source[double.source == double.target]).max() == 2
    assert graph("duplicates").is_weighted
    assert graph("duplicates").has_duplicate_edges
    assert not graph("duplicates").has_self_loops
    assert not graph("multigraph").is_weighted
    assert graph("multigraph").has_duplicate_edges


@pytest.mark.parametrize(("name", "degree"), [("hub", 257), ("hub_2049", 2049)])
def test_hubs_are_past_what_16_bits_can_count(name, degree):
    """In-degree for the forward pass, out-degree for the backward pass; distinct neighbours; unweighted."""
    g = graph(name)

    assert int(in_degree(g).max()) >= degree
    assert int(out_degree(g).max()) >= degree
    assert not g.has_duplicate_edges
    assert not g.is_weighted
    assert in_degree(g)[-1] + out_degree(g)[-1] == 0


def test_sizes_of_one_are_covered():
    """One edge, no edge, one node with and without a loop, width 1."""
    assert graph("single_edge").num_edges == 1
    assert graph("no_edges").num_edges == 0
    assert (graph("one_node").num_nodes, graph("one_node").num_edges) == (1, 0)
    assert graph("one_loop").edge_weight.tolist() == [2.5]
    assert PROBES["width_1"].widths == (1, 1)


def test_both_orders_of_the_product_are_covered():
    """Backends that choose the cheaper order take (ÂX)W on one probe and Â(XW) on the others."""
    wider = {name for name, probe in PROBES.items() if probe.widths[0] < probe.widths[1]}

    assert wider == {"widening"}
