"""What PyTorch Geometric does on each of its paths, as facts: where one changes, we want to know."""

import subprocess
import sys

import pytest
import torch

from gnnbench.graphs import SELF_LOOPS, Graph, probe_graphs
from gnnbench.reference import UnsupportedByBackend, backend

pyg = pytest.importorskip(
    "torch_geometric", reason="PyTorch Geometric is not installed", exc_type=ImportError
)

CPU = torch.device("cpu")
PATHS = ("pyg", "pyg_edgeindex", "pyg_sparse")
PROBES = {probe.name: probe.graph for probe in probe_graphs() if probe.name not in {"power_law", "hub_2049"}}

#: The probes on which a path answers other than the convention, and so has to decline.
DECLINED = {
    ("pyg", "add"): {"mixed", "own_loops", "double_loop", "one_loop", "widening", "random"},
    ("pyg", "add_remaining"): {"double_loop", "random"},
    ("pyg", "none"): set(),
    ("pyg_sparse", "add"): {"multigraph"},
    ("pyg_sparse", "add_remaining"): {
        "mixed",
        "own_loops",
        "double_loop",
        "multigraph",
        "one_loop",
        "widening",
        "random",
    },
    ("pyg_sparse", "none"): {"multigraph"},
}
DECLINED |= {("pyg_edgeindex", mode): DECLINED["pyg", mode] for mode in SELF_LOOPS}
CACHED = {("pyg_cached", mode): DECLINED["pyg", mode] for mode in SELF_LOOPS}
#: Where own loops, together, do not weigh 1. Read in the sources: the path itself needs torch_sparse.
SPARSETENSOR = {
    "add": {"mixed", "own_loops", "double_loop", "one_loop", "widening", "random"},
    "add_remaining": {"mixed", "own_loops", "double_loop", "one_loop", "widening", "random"},
    "none": set(),
}


def matrix_of(layer, num_nodes):
    """Â, by giving the layer the identity for features and weight."""
    identity = torch.eye(num_nodes, dtype=torch.float64)
    return layer(identity, identity, None).detach()


def expected(graph, self_loops):
    layer = backend("dense").bind(graph, device=CPU, dtype=torch.float64, self_loops=self_loops)
    return matrix_of(layer, graph.num_nodes)


def by_pyg(path, graph, *, self_loops):
    """Â as PyG has it on this path, past the conventions that `bind` insists on."""
    from gnnbench.reference.pyg import GcnConvLayer

    weight = None if graph.edge_weight is None else graph.edge_weight.double()
    size = (graph.num_nodes, graph.num_nodes)
    if path == "pyg_sparse":
        adj_t = pyg.utils.to_torch_csr_tensor(graph.edge_index.flip(0), weight, size).double()
        return matrix_of(GcnConvLayer(adj_t, None, self_loops=self_loops), graph.num_nodes)
    edges = graph.edge_index if path == "pyg" else pyg.EdgeIndex(graph.edge_index, sparse_size=size)
    return matrix_of(GcnConvLayer(edges, weight, self_loops=self_loops), graph.num_nodes)


@pytest.mark.parametrize("self_loops", SELF_LOOPS)
@pytest.mark.parametrize("path", [*PATHS, "pyg_cached"])
def test_a_path_serves_exactly_the_graphs_on_which_it_agrees(path, self_loops):
    """It declines where PyG answers otherwise, and nowhere else."""
    declined = set()
    for name, graph in PROBES.items():
        try:
            layer = backend(path).bind(graph, device=CPU, dtype=torch.float64, self_loops=self_loops)
        except UnsupportedByBackend:
            declined.add(name)
            continue
        found = matrix_of(layer, graph.num_nodes)
        torch.testing.assert_close(found, expected(graph, self_loops), rtol=1e-13, atol=1e-13)

    assert declined == {**DECLINED, **CACHED}[path, self_loops]


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
@pytest.mark.parametrize(
    ("path", "self_loops", "name"),
    # On one node with one loop both conventions come to 1, whatever the weights: declined all the same.
    [(*case, name) for case, names in DECLINED.items() for name in sorted(names - {"one_loop"})],
)
def test_where_a_path_declines_pyg_does_answer_otherwise(path, self_loops, name):
    """Each refusal is earned: let through, PyG's matrix is not the one asked for."""
    graph = PROBES[name]
    found = by_pyg(path, graph, self_loops=self_loops)

    assert float((found - expected(graph, self_loops)).abs().max()) > 1e-3


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_one_graph_two_answers():
    """F18: an own loop of weight 3 is kept on the edge_index path and added to on the torch.sparse path."""
    graph = Graph(torch.tensor([[0, 1], [1, 1]]), 2, torch.tensor([1.0, 3.0]))
    on_edges = torch.tensor([[1.0, 0.0], [1 / 2, 3 / 4]], dtype=torch.float64)
    on_matrix = torch.tensor([[1.0, 0.0], [5**-0.5, 4 / 5]], dtype=torch.float64)

    for path in ("pyg", "pyg_edgeindex"):
        torch.testing.assert_close(by_pyg(path, graph, self_loops="add"), on_edges)
    torch.testing.assert_close(by_pyg("pyg_sparse", graph, self_loops="add"), on_matrix)


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_unweighted_multi_edges_lose_their_number_on_the_way_to_a_matrix():
    """F22: three edges from 0 to 1 weigh 3 on the edge_index path and 1 in the matrix PyG makes of them."""
    graph = Graph(torch.tensor([[0, 0, 0], [1, 1, 1]]), 2)

    assert float(by_pyg("pyg", graph, self_loops="add")[1, 0]) == pytest.approx(3 / 2)
    assert float(by_pyg("pyg_sparse", graph, self_loops="add")[1, 0]) == pytest.approx(2**-0.5)


def test_csc_is_refused_by_pyg():
    """F19: .t() of CSR is CSC, which gcn_norm does not take; the backend turns the edges around instead."""
    adjacency = torch.eye(2).to_sparse_csc()

    with pytest.raises(NotImplementedError, match="CSC"):
        pyg.nn.GCNConv(2, 2)(torch.eye(2), adjacency)


def test_binding_draws_no_random_numbers():
    """GCNConv initialises parameters; a backend that let it would shift every later draw."""
    before = torch.get_rng_state()
    layer = backend("pyg").bind(PROBES["directed"], device=CPU, dtype=torch.float32)
    layer(torch.ones(8, 5), torch.ones(5, 7), torch.ones(7))

    assert torch.equal(torch.get_rng_state(), before)


def test_reasons_name_the_node():
    """Why a path declines is shown in the report, so it must say where."""
    with pytest.raises(UnsupportedByBackend, match="node 3 has one already"):
        backend("pyg").bind(PROBES["mixed"], device=CPU, dtype=torch.float32)
    with pytest.raises(UnsupportedByBackend, match="node 1 has several"):
        backend("pyg").bind(
            PROBES["double_loop"], device=CPU, dtype=torch.float32, self_loops="add_remaining"
        )


@pytest.mark.parametrize("name", [*PATHS, "pyg_cached", "pyg_sparsetensor", "pyg_compiled"])
def test_without_pyg_its_backends_are_unsupported(monkeypatch, name):
    """Its absence is a reason to give, never a traceback."""
    for module in ("torch_geometric", "torch_geometric.nn", "torch_geometric.utils"):
        monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(UnsupportedByBackend, match="pip install torch-geometric"):
        backend(name).bind(PROBES["directed"], device=CPU, dtype=torch.float32)


def test_a_pyg_that_will_not_import_is_an_error(monkeypatch):
    """Installed and broken is the image's fault: what it says must reach the report."""
    from gnnbench.reference import pyg as module

    def broken(name):
        raise ModuleNotFoundError("No module named 'torchmetrics'", name="torchmetrics")

    monkeypatch.setattr(module.importlib, "import_module", broken)

    with pytest.raises(ModuleNotFoundError, match="torchmetrics"):
        module.require_pyg("torch_geometric.nn")


def test_pyg_is_imported_by_the_first_bind_and_not_before():
    """It costs seconds that a run without it should not pay."""
    code = (
        "import sys, torch, gnnbench.reference as r\n"
        "from gnnbench.graphs import probe_graphs\n"
        "g = probe_graphs()[1].graph\n"
        "for b in r.backends():\n"
        "    if not any(late in b.name for late in ('pyg', 'compiled', 'cudagraph', 'dgl')):\n"
        "        b.bind(g, device=torch.device('cpu'), dtype=torch.float32)\n"
        "print('torch_geometric' in sys.modules, 'torch._dynamo' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]


def test_every_result_of_a_cached_layer_comes_from_the_cache(monkeypatch):
    """gcn_norm runs once for each pair of widths, before the first result, and never again."""
    from torch_geometric.nn.conv import gcn_conv

    calls = []
    norm = gcn_conv.gcn_norm
    monkeypatch.setattr(
        gcn_conv, "gcn_norm", lambda *arguments: calls.append(len(arguments)) or norm(*arguments)
    )
    graph = PROBES["directed"]
    layer = backend("pyg_cached").bind(graph, device=CPU, dtype=torch.float64)
    dense = backend("dense").bind(graph, device=CPU, dtype=torch.float64)
    for expected_calls, width in ((1, 3), (1, 3), (2, 5), (2, 3)):
        x = torch.randn(8, width, dtype=torch.float64)
        weight = torch.randn(width, 2, dtype=torch.float64)
        torch.testing.assert_close(layer(x, weight, None), dense(x, weight, None), rtol=1e-13, atol=1e-13)
        assert len(calls) == expected_calls


def test_the_first_result_of_a_cached_layer_is_not_that_which_filled_the_cache(monkeypatch):
    """A cache that is filled wrongly shows in the first result already."""
    layer = backend("pyg_cached").bind(PROBES["directed"], device=CPU, dtype=torch.float64)
    called = []
    call = type(layer)._call
    monkeypatch.setattr(type(layer), "_call", lambda self, *args: called.append(1) or call(self, *args))
    matrix_of(layer, 8)

    assert len(called) == 2


def test_cached_layers_of_two_graphs_keep_apart():
    """F21: a GCNConv that serves both answers for the first; PyG does not look."""
    first, second = PROBES["directed"], PROBES["directed"].reversed()
    layers = [backend("pyg_cached").bind(graph, device=CPU, dtype=torch.float64) for graph in (first, second)]
    for layer, graph in zip(layers, (first, second), strict=True):
        torch.testing.assert_close(matrix_of(layer, 8), expected(graph, "add"), rtol=1e-13, atol=1e-13)

    convolution = pyg.nn.GCNConv(8, 8, cached=True, bias=False)
    identity = torch.eye(8)
    found = [convolution(identity, graph.edge_index) for graph in (first, second)]
    assert torch.equal(*found), "PyG now looks whose cache it is: say so in pyg_cached.py"


@pytest.mark.parametrize("self_loops", SELF_LOOPS)
def test_sparsetensor_declines_where_fill_diag_changes_loops(self_loops):
    """By the convention alone, so that it is tested without torch_sparse too."""
    from gnnbench.reference.pyg import require_sparsetensor_convention

    declined = set()
    for name, graph in PROBES.items():
        try:
            require_sparsetensor_convention(graph, self_loops)
        except UnsupportedByBackend:
            declined.add(name)

    assert declined == SPARSETENSOR[self_loops]


def test_sparsetensor_keeps_loops_of_weight_1():
    """Under add_remaining fill_diag puts in what it takes out; of two loops it puts in one."""
    from gnnbench.reference.pyg import require_sparsetensor_convention

    once = Graph(torch.tensor([[0, 1], [1, 1]]), 2)
    require_sparsetensor_convention(once, "add_remaining")
    with pytest.raises(
        UnsupportedByBackend, match=r"node 1 has some that weigh 2, which self_loops='add_rem"
    ):
        require_sparsetensor_convention(Graph(torch.tensor([[1, 1], [1, 1]]), 2), "add_remaining")
    with pytest.raises(UnsupportedByBackend, match="node 1 has some that weigh 1"):
        require_sparsetensor_convention(once, "add")


def test_without_torch_sparse_its_backend_is_unsupported(monkeypatch):
    """Not installed is a reason; installed and unable to load is an error that passes (F25, F26)."""
    monkeypatch.setitem(sys.modules, "torch_sparse", None)
    with pytest.raises(UnsupportedByBackend, match="torch_sparse is not installed"):
        backend("pyg_sparsetensor").bind(PROBES["directed"], device=CPU, dtype=torch.float32)

    from gnnbench.reference import pyg_sparsetensor

    def broken(name):
        raise OSError("libcusparse.so.11: cannot open shared object file")

    monkeypatch.setattr(pyg_sparsetensor.importlib, "import_module", broken)
    with pytest.raises(OSError, match=r"libcusparse\.so\.11"):
        pyg_sparsetensor.require_torch_sparse()


def test_sparsetensor_is_given_the_in_edges_of_each_row(monkeypatch):
    """Rows are targets, columns sources; values are those of the graph in the bound dtype, or none."""
    from gnnbench.reference import pyg_sparsetensor

    made = []

    class Recording:
        SparseTensor = staticmethod(lambda **arguments: made.append(arguments))

    monkeypatch.setattr(pyg_sparsetensor, "require_torch_sparse", lambda: Recording)
    for name in ("directed", "unweighted"):
        backend("pyg_sparsetensor").bind(PROBES[name], device=CPU, dtype=torch.float64)

    for arguments, name in zip(made, ("directed", "unweighted"), strict=True):
        graph = PROBES[name]
        assert torch.equal(arguments["row"], graph.target)
        assert torch.equal(arguments["col"], graph.source)
        assert arguments["sparse_sizes"] == (graph.num_nodes, graph.num_nodes)
    assert made[0]["value"].dtype == torch.float64
    assert made[1]["value"] is None


@pytest.mark.parametrize(("nodes", "self_loops"), [(3, "none"), (0, "add")])
def test_sparsetensor_declines_a_matrix_without_entries(nodes, self_loops):
    """torch_sparse leaves gradients undefined there; with loops there are entries, and it is asked."""
    from gnnbench.reference.pyg_sparsetensor import require_entries

    graph = Graph(torch.empty(2, 0, dtype=torch.int64), nodes)
    with pytest.raises(UnsupportedByBackend, match="without entries"):
        require_entries(graph, self_loops)
    require_entries(Graph(graph.edge_index, 3), "add")
