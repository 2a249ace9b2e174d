"""Every GraphSAGE layer against numbers worked out by hand, forward and backward; and the list of them."""

import sys

import pytest
import torch

from gnnbench.graphs import Graph, probe_graphs
from gnnbench.reference import UnsupportedByBackend
from gnnbench.reference.roster import Roster
from gnnbench.reference.sage import (
    SageBackend,
    register_sage,
    sage_backend,
    sage_backends,
    unregister_sage,
)

CPU = torch.device("cpu")
ALL = [found.name for found in sage_backends()]

#: Node 2 hears 0 twice, 1 once and itself once; node 1 hears 0; nodes 0 and 3 hear nobody. The weights are
#: there to be ignored.
GRAPH = Graph(torch.tensor([[0, 0, 1, 0, 2], [2, 1, 2, 2, 2]]), 4, torch.tensor([2.0, 3.0, 3.0, 3.0, 0.5]))
#: The same without what PyG's sparse path would merge: M = [[0, 0, 0, 0], [1, 0, 0, 0], [1/2, 0, 1/2, 0], 0]
PLAIN = Graph(torch.tensor([[0, 0, 2], [2, 1, 2]]), 4, torch.tensor([2.0, 3.0, 0.5]))
X = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 8.0], [1.0, 1.0]], dtype=torch.float64)
LEFT = torch.tensor([[1.0, -1.0, 2.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
RIGHT = torch.tensor([[2.0, 0.0, 1.0], [1.0, -2.0, 0.0]], dtype=torch.float64)
B = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
UPSTREAM = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=torch.float64)
#: X RIGHT + B
OWN = torch.tensor([[5.0, -4, 0], [7, 0, 2], [9, -16, -1], [4, -2, 0]], dtype=torch.float64)
#: Means: of GRAPH [0, 0], [1, 2], [5/4, 3], [0, 0]; of PLAIN [0, 0], [1, 2], [1/2, 5], [0, 0].
HEARD = {
    "duplicates": torch.tensor([[0.0, 0, 0], [1, 1, 4], [1.25, 1.75, 5.5], [0, 0, 0]], dtype=torch.float64),
    "plain": torch.tensor([[0.0, 0, 0], [1, 1, 4], [0.5, 4.5, 6], [0, 0, 0]], dtype=torch.float64),
}
#: meanᵀ UPSTREAM
D_LEFT = {
    "duplicates": torch.tensor([[0.0, 1, 1.25], [0, 2, 3]], dtype=torch.float64),
    "plain": torch.tensor([[0.0, 1, 0.5], [0, 2, 5]], dtype=torch.float64),
}
#: Xᵀ UPSTREAM
D_RIGHT = torch.tensor([[2.0, 4, 1], [3, 1, 9]], dtype=torch.float64)
#: UPSTREAM RIGHTᵀ
OWN_D_X = torch.tensor([[2.0, 1], [0, -2], [1, 0], [3, -1]], dtype=torch.float64)
#: Mᵀ UPSTREAM LEFTᵀ; rows of UPSTREAM LEFTᵀ are [1, 0], [-1, 1], [2, 1], [2, 2].
HEARD_D_X = {
    "duplicates": torch.tensor([[0.0, 1.5], [0.5, 0.25], [0.5, 0.25], [0, 0]], dtype=torch.float64),
    "plain": torch.tensor([[0.0, 1.5], [0, 0], [1, 0.5], [0, 0]], dtype=torch.float64),
}


def close(found, expected):
    """Equal but for a few roundings of float64."""
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=1e-14)


def graph_for(name):
    return (PLAIN, "plain") if name == "pyg_sparse" else (GRAPH, "duplicates")


def bound(name, graph, dtype=torch.float64):
    return sage_backend(name).bind(graph, device=CPU, dtype=dtype)


@pytest.mark.parametrize("name", ALL)
def test_forward_and_backward_by_hand(name):
    """The layer and all four gradients are those of a sheet of paper."""
    graph, which = graph_for(name)
    operands = [tensor.clone().requires_grad_() for tensor in (X, LEFT, RIGHT, B)]
    out = bound(name, graph)(*operands)
    d_x, d_left, d_right, d_bias = torch.autograd.grad(out, operands, UPSTREAM)

    close(out.detach(), HEARD[which] + OWN)
    close(d_x, HEARD_D_X[which] + OWN_D_X)
    close(d_left, D_LEFT[which])
    close(d_right, D_RIGHT)
    close(d_bias, torch.tensor([2.0, 2, 2], dtype=torch.float64))


@pytest.mark.parametrize("name", ALL)
def test_the_other_order_and_no_bias(name):
    """With fewer outputs than features the transform comes first; without a bias nothing is added."""
    graph, which = graph_for(name)
    out = bound(name, graph)(X, LEFT[:, :1], RIGHT[:, :1], None)

    close(out, (HEARD[which] + OWN - B)[:, :1])


@pytest.mark.parametrize("name", ALL)
def test_weights_mean_nothing(name):
    """With other weights, or none, the same numbers; and the graph's own weights are left as they are."""
    graph, _ = graph_for(name)
    weights = graph.edge_weight.double()
    others = (Graph(graph.edge_index, 4), Graph(graph.edge_index, 4, weights))
    expected = bound(name, graph)(X, LEFT, RIGHT, B)

    for other in others:
        assert torch.equal(bound(name, other)(X, LEFT, RIGHT, B), expected)
    assert weights.tolist() == graph.edge_weight.tolist()


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_those_of_the_layer(name):
    """Finite differences in float64 agree with the backward pass."""
    generator = torch.Generator().manual_seed(0)
    graph, _ = graph_for(name)
    operands = [
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((4, 3), (3, 2), (3, 2), (2,))
    ]

    assert torch.autograd.gradcheck(bound(name, graph), operands)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("probe", probe_graphs(), ids=lambda probe: probe.name)
def test_all_agree_on_every_probe(name, probe):
    """In float64 nothing but rounding can tell them apart."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((probe.graph.num_nodes, probe.widths[0]), probe.widths, probe.widths, probe.widths[1:])
    operands = [torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes]
    try:
        layer = bound(name, probe.graph)
    except UnsupportedByBackend:
        assert name == "pyg_sparse"
        assert probe.graph.has_duplicate_edges
        return

    expected = bound("index_add", probe.graph)(*operands)
    torch.testing.assert_close(layer(*operands), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["dense", "index_add", "csr"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_edges_are_not_counted_in_16_bits(name, dtype):
    """A hub of 2,049 hears one of its neighbours with 1/2049, rounded once or twice."""
    graph = next(probe.graph for probe in probe_graphs() if probe.name == "hub_2049")
    one = torch.zeros(graph.num_nodes, 1, dtype=dtype)
    one[graph.source[graph.target == 1][0]] = 1
    out = bound(name, graph, dtype)(one, torch.ones(1, 1, dtype=dtype), torch.zeros(1, 1, dtype=dtype), None)

    assert out.dtype == dtype
    assert abs(float(out[1, 0]) * 2049 - 1) <= torch.finfo(dtype).eps


def test_dense_stops_where_the_matrix_would_not_fit():
    """Ten thousand million entries are not written out."""
    with pytest.raises(UnsupportedByBackend, match=r"100,000 nodes takes 40\.0 GB"):
        bound("dense", Graph(torch.zeros(2, 0, dtype=torch.int64), 100_000), torch.float32)


@pytest.mark.parametrize("name", ["pyg", "pyg_sparse"])
def test_without_pyg_its_layers_say_so(name, monkeypatch):
    """Not installed is unsupported, with the command that installs it."""
    for module in ("torch_geometric", "torch_geometric.nn", "torch_geometric.utils"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnsupportedByBackend, match="pip install torch-geometric"):
        bound(name, PLAIN)


def test_pyg_sparse_refuses_what_pyg_would_merge():
    """Of duplicates the mean counts each."""
    with pytest.raises(UnsupportedByBackend, match="merges duplicate edges"):
        bound("pyg_sparse", GRAPH)


class Mine:
    name = "mine"

    def bind(self, graph, *, device, dtype):
        return bound("dense", graph, dtype)


def test_registration():
    """One more, at the end; found by name; out again."""
    mine = Mine()
    assert isinstance(mine, SageBackend)
    assert register_sage(mine) is mine
    try:
        assert [found.name for found in sage_backends()] == [*ALL, "mine"]
        assert sage_backend("mine") is mine
        with pytest.raises(ValueError, match="GraphSAGE layer 'mine' is registered already, by Mine"):
            register_sage(Mine())
    finally:
        assert unregister_sage("mine") is mine
    assert [found.name for found in sage_backends()] == ALL
    with pytest.raises(KeyError, match="expected a registered GraphSAGE layer .*dense.*found 'mine'"):
        sage_backend("mine")


@pytest.mark.parametrize(
    "wrong", [Mine, object(), type("N", (), {"name": "n"})(), type("B", (), {"bind": print})()]
)
def test_what_is_no_layer_is_refused(wrong):
    """A class, and objects without a name or without bind."""
    with pytest.raises(TypeError, match="expected a GAT layer: an object with a str `name`"):
        Roster("GAT layer").register(wrong)


def test_names_must_fit_into_ids():
    """No brackets, no spaces, no dashes, which part a check's parameters."""
    with pytest.raises(ValueError, match="letters, digits and _ . . only, found 'a-b'"):
        Roster("GAT layer").register(type("B", (), {"bind": print, "name": "a-b"})())
