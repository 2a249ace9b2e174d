"""Backends that differentiate by edge weights: finite differences, agreement, refusals."""

import pytest
import torch

from gnnbench.graphs import Graph, probe_graphs
from gnnbench.reference import UnsupportedByBackend, WeightedBackend, backend, backends

CPU = torch.device("cpu")
CAN = [found.name for found in backends() if isinstance(found, WeightedBackend)]
EAGER = [name for name in CAN if not name.endswith("_compiled")]
PROBES = {probe.name: probe.graph for probe in probe_graphs()}


def operands(graph):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((graph.num_nodes, 3), (3, 2), (2,))
    ]


def probe_for(name):
    """PyG's edge_index paths take no graph that has loops of its own."""
    return PROBES["duplicates" if name.startswith("pyg") else "mixed"]


def test_who_can():
    """The default backend among them."""
    assert set(CAN) == {
        *("dense", "coo", "csr", "index_add", "pyg", "pyg_sparse", "pyg_edgeindex"),
        *("index_add_compiled", "pyg_compiled"),
    }


@pytest.mark.parametrize("name", EAGER)
def test_all_four_gradients_are_those_of_the_layer(name):
    """Finite differences in float64, edge weights included."""
    graph = probe_for(name)
    layer = backend(name).bind_weighted(graph, device=CPU, dtype=torch.float64)
    edge_weight = graph.weights(torch.float64).clone().requires_grad_()

    assert torch.autograd.gradcheck(layer, (*operands(graph), edge_weight))


@pytest.mark.parametrize("name", EAGER)
def test_it_is_the_layer_of_the_weighted_graph(name):
    """With the weights of a graph it is the layer of that graph; those of the graph it was bound to don't count."""
    graph = probe_for(name)
    x, weight, bias = operands(graph)
    expected = backend("dense").bind(graph, device=CPU, dtype=torch.float64)(x, weight, bias)
    bare = Graph(graph.edge_index, graph.num_nodes)
    for bound in (graph, bare):
        layer = backend(name).bind_weighted(bound, device=CPU, dtype=torch.float64)
        found = layer(x, weight, bias, graph.weights(torch.float64))
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(
        layer(x, weight, None, graph.weights(torch.float64)), expected - bias, rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("name", ["dense", "coo", "csr", "index_add"])
def test_a_degree_of_0_gives_no_nan(name):
    """Without loops, a weight of 0 leaves a node without degree: 0 forward and backward."""
    graph = PROBES["zero_weight"]
    layer = backend(name).bind_weighted(graph, device=CPU, dtype=torch.float64, self_loops="none")
    edge_weight = graph.weights(torch.float64).clone().requires_grad_()
    x, weight, _ = operands(graph)
    out = layer(x, weight, None, edge_weight)
    (gradient,) = torch.autograd.grad(out.sum(), edge_weight)

    assert torch.isfinite(out).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", ["dense", "coo", "csr", "index_add"])
def test_another_number_of_weights_is_refused(name):
    """The message has both numbers."""
    graph = PROBES["mixed"]
    layer = backend(name).bind_weighted(graph, device=CPU, dtype=torch.float32)

    with pytest.raises(
        ValueError, match=r"edge_weight: expected one weight an edge, shape \[12\], found \[3\]"
    ):
        layer(torch.ones(11, 2), torch.ones(2, 2), None, torch.ones(3))


def test_csr_makes_no_gradient_it_is_not_asked_for(monkeypatch):
    """With fixed weights the sampled products are left out, with fixed features the transposed one."""
    from gnnbench.reference import csr_weighted

    graph = PROBES["mixed"]
    layer = backend("csr").bind_weighted(graph, device=CPU, dtype=torch.float32)
    called = []
    transpose = csr_weighted.CsrStructure.transpose
    monkeypatch.setattr(
        csr_weighted.CsrStructure,
        "transpose",
        lambda self, merged: called.append(1) or transpose(self, merged),
    )
    edge_weight = graph.weights().clone().requires_grad_()
    layer(torch.ones(11, 2), torch.ones(2, 1), None, edge_weight).sum().backward()
    assert not called
    assert edge_weight.grad is not None

    x = torch.ones(11, 2, requires_grad=True)
    layer(x, torch.ones(2, 1), None, edge_weight.detach()).sum().backward()
    assert called


@pytest.mark.parametrize(
    ("name", "self_loops", "probe"),
    [
        ("pyg", "add", "own_loops"),
        ("pyg_edgeindex", "add", "own_loops"),
        ("pyg_sparse", "add_remaining", "own_loops"),
        ("pyg", "add_remaining", "double_loop"),
    ],
)
def test_pyg_declines_what_it_answers_otherwise(name, self_loops, probe):
    """The conventions are those of bind."""
    pytest.importorskip("torch_geometric", reason="PyTorch Geometric is not installed", exc_type=ImportError)

    with pytest.raises(UnsupportedByBackend):
        backend(name).bind_weighted(PROBES[probe], device=CPU, dtype=torch.float32, self_loops=self_loops)


def test_unweighted_multi_edges_are_served_on_the_sparse_path_where_they_have_weights():
    """What merges to 1 in bind adds up here, for the weights are given."""
    pytest.importorskip("torch_geometric", reason="PyTorch Geometric is not installed", exc_type=ImportError)
    graph = PROBES["multigraph"]
    x, weight, bias = operands(graph)
    found = backend("pyg_sparse").bind_weighted(graph, device=CPU, dtype=torch.float64)(
        x, weight, bias, graph.weights(torch.float64)
    )

    expected = backend("dense").bind(graph, device=CPU, dtype=torch.float64)(x, weight, bias)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
