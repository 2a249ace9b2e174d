"""Every GAT layer against numbers worked out by hand and against loops, forward and backward."""

import math
import sys

import pytest
import torch

from gnnbench.graphs import Graph, probe_graphs
from gnnbench.reference import UnsupportedByBackend
from gnnbench.reference.gat import (
    GatBackend,
    gat_backend,
    gat_backends,
    register_gat,
    unregister_gat,
)

CPU = torch.device("cpu")
ALL = [found.name for found in gat_backends()]

#: 0 -> 1, and an own loop of node 1, which counts for nothing; node 2 is alone.
GRAPH = Graph(torch.tensor([[0, 1], [1, 1]]), 3, torch.tensor([2.0, 7.0]))


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def bound(name, graph, dtype=torch.float64, **options):
    return gat_backend(name).bind(graph, device=CPU, dtype=dtype, **options)


def served(name, graph):
    return name != "pyg_sparse" or not graph.has_duplicate_edges


def random_operands(num_nodes, features, heads, channels, concat, seed=0):
    generator = torch.Generator().manual_seed(seed)
    width = heads * channels if concat else channels
    shapes = (
        (num_nodes, features),
        (features, heads * channels),
        (heads, channels),
        (heads, channels),
        (width,),
    )
    return [torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes]


def by_loops(graph, x, weight, att_src, att_dst, bias, concat):
    """The definition, one node, head and channel at a time."""
    heads, channels = att_src.shape
    rows = []
    for i in range(graph.num_nodes):
        hears = [int(s) for s, t in graph.edge_index.T.tolist() if t == i and s != i] + [i]
        outs = []
        for head in range(heads):
            part = slice(head * channels, (head + 1) * channels)
            h = {j: x[j] @ weight[:, part] for j in hears}
            scores = []
            for j in hears:
                score = float(att_src[head] @ h[j] + att_dst[head] @ h[i])
                scores.append(score if score > 0 else 0.2 * score)
            total = sum(math.exp(score) for score in scores)
            outs.append(sum(math.exp(score) / total * h[j] for j, score in zip(hears, scores, strict=True)))
        rows.append(torch.cat(outs) if concat else torch.stack(outs).mean(0))
    return torch.stack(rows) + bias


@pytest.mark.parametrize("name", ALL)
def test_by_hand(name):
    """One head, one channel: node 1 hears 0 with e^(ln 3) = 3 and itself with e^0 = 1; shares 3/4 and 1/4."""
    x, one = double([[math.log(3)], [0.0], [-5.0]]), double([[1.0]])
    out = bound(name, GRAPH)(x, one, one, double([[0.0]]), double([10.0]))

    torch.testing.assert_close(
        out, double([[math.log(3) + 10], [0.75 * math.log(3) + 10], [5.0]]), rtol=1e-14, atol=0
    )


@pytest.mark.parametrize("name", ALL)
def test_scores_below_zero_are_multiplied_by_a_fifth(name):
    """With x = -5 ln 3 at the source its share is e^(-ln 3) = 1/3 of the loop's: 1/4 and 3/4."""
    x, one = double([[-5 * math.log(3)], [0.0], [1.0]]), double([[1.0]])
    out = bound(name, GRAPH)(x, one, one, double([[0.0]]), None)

    torch.testing.assert_close(out[1], double([-1.25 * math.log(3)]), rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("concat", [True, False], ids=["concatenated", "averaged"])
@pytest.mark.parametrize("probe", [p for p in probe_graphs() if p.graph.num_nodes < 20], ids=lambda p: p.name)
def test_every_probe_by_loops(name, concat, probe):
    """Three heads of two channels, on every kind of graph."""
    if not served(name, probe.graph):
        with pytest.raises(UnsupportedByBackend, match="merges duplicate edges"):
            bound(name, probe.graph, concat=concat)
        return
    operands = random_operands(probe.graph.num_nodes, 4, 3, 2, concat)
    out = bound(name, probe.graph, concat=concat)(*operands)

    torch.testing.assert_close(out, by_loops(probe.graph, *operands, concat), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("concat", [True, False], ids=["concatenated", "averaged"])
def test_gradients_are_those_of_the_layer(name, concat):
    """Finite differences in float64 agree with the backward pass."""
    probe = "directed" if name == "pyg_sparse" else "mixed"
    graph = next(found.graph for found in probe_graphs() if found.name == probe)
    operands = [one.requires_grad_() for one in random_operands(graph.num_nodes, 3, 2, 3, concat)]

    assert torch.autograd.gradcheck(bound(name, graph, concat=concat), operands)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("scale", [1000.0, -1000.0])
def test_scores_that_no_exponential_holds(name, scale):
    """e^1000 overflows float32 and float64; shares are right all the same."""
    x = torch.tensor([[1.0], [0.0], [1.0]]) * scale
    out = bound(name, GRAPH, torch.float32)(x, torch.ones(1, 1), torch.ones(1, 1), torch.zeros(1, 1), None)

    # Of 0 and ±1000 node 1 takes the higher score whole: LeakyReLU leaves 1000 and -200.
    assert out.flatten().tolist() == [scale, max(scale, 0.0), scale]


def test_dense_stops_where_there_are_too_many_pairs():
    """Several matrices of a thousand million entries would be held at once."""
    with pytest.raises(UnsupportedByBackend, match="attention of 100,000 nodes has 10,000,000,000 entries"):
        bound("dense", Graph(torch.zeros(2, 0, dtype=torch.int64), 100_000))


@pytest.mark.parametrize("name", ["pyg", "pyg_sparse"])
def test_without_pyg_its_layers_say_so(name, monkeypatch):
    """Not installed is unsupported, with the command that installs it."""
    for module in ("torch_geometric", "torch_geometric.nn", "torch_geometric.utils"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnsupportedByBackend, match="pip install torch-geometric"):
        bound(name, GRAPH)


def test_registration():
    """One more, at the end; out again."""

    class Mine:
        name = "mine"

        def bind(self, graph, *, device, dtype, concat=True):
            return bound("dense", graph, dtype, concat=concat)

    mine = Mine()
    assert isinstance(mine, GatBackend)
    register_gat(mine)
    try:
        assert [found.name for found in gat_backends()] == [*ALL, "mine"]
    finally:
        unregister_gat("mine")
    assert (
        [found.name for found in gat_backends()]
        == ALL
        == ["dense", "scatter", "deferred", "pyg", "pyg_sparse"]
    )
