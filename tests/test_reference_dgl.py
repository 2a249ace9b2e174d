"""DGL as a third party: offered where it is installed, and given the very Â of the paper.

DGL has no release for the newest torch: a stand-in of the three names that are used shows what they are called with.
It takes DGL's own formula, and so checks our side of the call only. DGL 2.1 itself passed the suites beside torch 2.4.
"""

import importlib.machinery
import sys
import types

import pytest
import torch

from gnnbench.graphs import SELF_LOOPS, probe_graphs
from gnnbench.reference import backend, dgl

CPU = torch.device("cpu")
GRAPH = next(probe.graph for probe in probe_graphs() if probe.name == "mixed")


@pytest.fixture
def stand_in(monkeypatch):
    """`dgl.graph` and `dgl.nn.pytorch.GraphConv(norm="none")`, after their documentation."""

    class GraphConv:
        def __init__(self, in_feats, out_feats, *, norm, weight, bias, allow_zero_in_degree):
            assert (norm, weight, bias, allow_zero_in_degree) == ("none", False, False, True)

        def __call__(self, edges, x, *, weight, edge_weight):
            (source, target), n = edges
            # As DGL 2.1 says it: "Expect U_data to be a contiguous tensor".
            assert 0 not in weight.shape
            h = x @ weight
            return torch.zeros(n, h.shape[1], dtype=h.dtype).index_add(
                0, target, h[source] * edge_weight[:, None]
            )

    module = types.ModuleType("dgl")
    module.__spec__ = importlib.machinery.ModuleSpec("dgl", None, origin="somewhere/dgl/__init__.py")
    module.graph = lambda ends, *, num_nodes, device: (ends, num_nodes)
    nn, pytorch = types.ModuleType("dgl.nn"), types.ModuleType("dgl.nn.pytorch")
    pytorch.GraphConv = GraphConv
    for name, one in (("dgl", module), ("dgl.nn", nn), ("dgl.nn.pytorch", pytorch)):
        monkeypatch.setitem(sys.modules, name, one)
    dgl._convolution.cache_clear()
    yield
    dgl._convolution.cache_clear()


def test_it_is_offered_where_it_is_installed(stand_in):
    """By its name, through a function, as the entry point has it."""
    assert dgl.offer().name == "dgl"


def test_it_is_not_offered_where_it_is_not(monkeypatch, tmp_path):
    """Nor for a folder of that name in the way, which Python takes for a package without a file."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "dgl":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert dgl.offer() is None

    (tmp_path / "dgl").mkdir()
    importlib.invalidate_caches()
    assert dgl.offer() is None


def test_a_dgl_that_will_not_import_is_an_error(monkeypatch, tmp_path):
    """It is offered, and its checks turn red with what it says."""
    (tmp_path / "dgl.py").write_text("raise ImportError('libgraphbolt_pytorch_2.13.0.so is missing')")
    monkeypatch.delitem(sys.modules, "dgl", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ImportError, match="libgraphbolt"):
        dgl.offer().bind(GRAPH, device=CPU, dtype=torch.float32)


@pytest.mark.parametrize("self_loops", SELF_LOOPS)
def test_it_is_given_the_entries_of_the_paper(stand_in, self_loops):
    """Directed, weighted, with duplicates and loops: the layer is that of the other backends."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(GRAPH.num_nodes, 3, dtype=torch.float64, generator=generator)
    weight = torch.randn(3, 2, dtype=torch.float64, generator=generator)
    bias = torch.randn(2, dtype=torch.float64, generator=generator)
    found, expected = (
        one.bind(GRAPH, device=CPU, dtype=torch.float64, self_loops=self_loops)(x, weight, bias)
        for one in (dgl.offer(), backend("index_add"))
    )

    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("widths", [(0, 2), (3, 0), (0, 0)])
def test_empty_widths_are_no_error(stand_in, widths):
    """DGL refuses to aggregate a matrix without columns; the layer of no features is its bias."""
    features, channels = widths
    bias = torch.randn(channels)
    layer = dgl.offer().bind(GRAPH, device=CPU, dtype=torch.float32)

    found = layer(torch.ones(GRAPH.num_nodes, features), torch.ones(features, channels), bias)

    assert torch.equal(found, bias.expand(GRAPH.num_nodes, channels))


def test_the_entry_point_is_declared():
    """In pyproject.toml, with an extra of its own that nothing else asks for."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 brought tomllib")
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["gnnbench.backends"] == {"dgl": "gnnbench.reference.dgl:offer"}
    assert project["optional-dependencies"]["dgl"] == ["dgl"]
    assert not any("dgl" in one for one in project["dependencies"])
