"""Every backend against numbers worked out by hand, forward and backward."""

import importlib.util

import pytest
import torch

from gnnbench.graphs import Graph, probe_graphs
from gnnbench.reference import UnsupportedByBackend, backend, backends
from gnnbench.reference.layer import AggregatingLayer

CPU = torch.device("cpu")
# Compiled and captured ones have files of their own: compiling takes its time, and capturing a GPU.
EAGER = [found.name for found in backends() if not found.name.endswith(("_compiled", "_cudagraph"))]
if importlib.util.find_spec("torch_sparse") is None:
    EAGER.remove("pyg_sparsetensor")
OWN = [name for name in EAGER if not name.startswith("pyg")]

#: Weighted in-degrees with a loop of 1 each: 1, 4, 9, 1. The edge 0 -> 2 comes twice; node 3 is isolated.
GRAPH = Graph(torch.tensor([[0, 0, 1, 0], [2, 1, 2, 2]]), 4, torch.tensor([2.0, 3.0, 3.0, 3.0]))
#: A-hat = [[1, 0, 0, 0], [3/2, 1/4, 0, 0], [5/3, 1/2, 1/9, 0], [0, 0, 0, 1]]
X = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 9.0], [1.0, 1.0]], dtype=torch.float64)
W = torch.tensor([[1.0, -1.0, 2.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
B = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
UPSTREAM = torch.tensor(
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]], dtype=torch.float64
)
OUT = torch.tensor([[2, 1, 3], [3.25, 0.75, 6.5], [25 / 6, 7 / 6, 29 / 3], [2, 0, 2]], dtype=torch.float64)
D_X = torch.tensor([[17 / 6, 19 / 6], [0.75, 0.75], [2 / 9, 1 / 9], [2, 2]], dtype=torch.float64)
D_W = torch.tensor([[2, 3.25, 25 / 6], [3, 4, 16 / 3]], dtype=torch.float64)
D_B = torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64)


def close(found, expected):
    """Equal but for a few roundings of float64."""
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=1e-14)


def parameters(dtype=torch.float64):
    return [tensor.to(dtype, copy=True).requires_grad_() for tensor in (X, W, B)]


@pytest.mark.parametrize("name", EAGER)
def test_forward_and_backward_by_hand(name):
    """The layer and all three gradients are those of a sheet of paper."""
    layer = backend(name).bind(GRAPH, device=CPU, dtype=torch.float64)
    x, weight, bias = parameters()
    out = layer(x, weight, bias)
    d_x, d_weight, d_bias = torch.autograd.grad(out, (x, weight, bias), UPSTREAM)

    close(out.detach(), OUT)
    close(d_x, D_X)
    close(d_weight, D_W)
    close(d_bias, D_B)


@pytest.mark.parametrize("name", EAGER)
def test_the_other_order_of_the_product(name):
    """With fewer outputs than features the transform comes first; the answer is the same."""
    layer = backend(name).bind(GRAPH, device=CPU, dtype=torch.float64)

    close(layer(X, W[:, :1], None), OUT[:, :1] - B[:1])


@pytest.mark.parametrize("name", EAGER)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_result_is_in_the_bound_dtype(name, dtype):
    """float32 stays float32, and comes close to the numbers on paper."""
    layer = backend(name).bind(GRAPH, device=CPU, dtype=dtype)
    out = layer(*parameters(dtype)).detach()

    assert out.dtype == dtype
    assert tuple(out.shape) == (4, 3)
    torch.testing.assert_close(out.double(), OUT, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", EAGER)
def test_gradients_are_those_of_the_layer(name):
    """Finite differences in float64 agree with the backward pass, on a graph that has everything."""
    probe = next(
        probe for probe in probe_graphs() if probe.name == ("directed" if name.startswith("pyg") else "mixed")
    )
    generator = torch.Generator().manual_seed(0)
    layer = backend(name).bind(probe.graph, device=CPU, dtype=torch.float64)
    x, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((probe.graph.num_nodes, 3), (3, 2), (2,))
    )

    assert torch.autograd.gradcheck(layer, (x, weight, bias))


def test_csr_has_second_derivatives():
    """Its backward pass is written by hand, and can be differentiated in its turn."""
    layer = backend("csr").bind(GRAPH, device=CPU, dtype=torch.float64)

    assert torch.autograd.gradgradcheck(layer, tuple(parameters()))


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(
    ("self_loops", "matrix"),
    [
        ("add", [[1, 0], [5**-0.5, 4 / 5]]),
        ("add_remaining", [[1, 0], [1 / 2, 3 / 4]]),
        ("none", [[0, 0], [0, 3 / 4]]),
    ],
)
def test_self_loop_conventions_by_hand(name, self_loops, matrix):
    """One edge of weight 1 and an own loop of weight 3; a node of degree 0 gives and receives nothing."""
    graph = Graph(torch.tensor([[0, 1], [1, 1]]), 2, torch.tensor([1.0, 3.0]))
    layer = backend(name).bind(graph, device=CPU, dtype=torch.float64, self_loops=self_loops)
    identity = torch.eye(2, dtype=torch.float64)

    close(layer(identity, identity, None), torch.tensor(matrix, dtype=torch.float64))


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("probe", probe_graphs(), ids=lambda probe: probe.name)
def test_all_our_own_agree_on_every_probe(name, probe):
    """In float64 nothing but rounding can tell them apart."""
    generator = torch.Generator().manual_seed(1)
    features, outputs = probe.widths
    x = torch.randn(probe.graph.num_nodes, features, dtype=torch.float64, generator=generator)
    weight = torch.randn(features, outputs, dtype=torch.float64, generator=generator)
    found, expected = (
        backend(each).bind(probe.graph, device=CPU, dtype=torch.float64)(x, weight, None)
        for each in (name, "index_add")
    )

    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", [name for name in OWN if name != "csc"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_formats(name, dtype):
    """Degrees are not summed in 16 bits: the matrix entry of a hub of 2,049 is right."""
    probe = next(probe for probe in probe_graphs() if probe.name == "hub_2049")
    graph = probe.graph
    layer = backend(name).bind(graph, device=CPU, dtype=dtype)
    one = torch.zeros(graph.num_nodes, 1, dtype=dtype)
    one[graph.source[graph.target == 1][0]] = 1
    out = layer(one, torch.ones(1, 1, dtype=dtype), None)

    assert out.dtype == dtype
    # One of 2,049 messages alone: 1 / (sqrt(2050) * sqrt(d)), d the degree of its source.
    source = int(one.argmax())
    degree = graph.with_self_loops("add").in_degree()
    expected = (degree[1] * degree[source]).rsqrt().to(dtype)
    assert float(out[1, 0]) == float(expected)


@pytest.mark.parametrize("name", OWN)
def test_a_negative_degree_is_refused(name):
    """The square root of a negative degree is no number; the message names the node."""
    graph = Graph(torch.tensor([[0, 1], [1, 0]]), 2, torch.tensor([-3.0, 1.0]))

    with pytest.raises(ValueError, match=r"node 1 has the weighted in-degree -2\.0"):
        backend(name).bind(graph, device=CPU, dtype=torch.float32)


def test_dense_stops_where_the_matrix_would_not_fit():
    """Ten thousand million entries are not written out."""
    with pytest.raises(UnsupportedByBackend, match=r"100,000 nodes takes 40\.0 GB") as raised:
        backend("dense").bind(
            Graph(torch.zeros(2, 0, dtype=torch.int64), 100_000), device=CPU, dtype=torch.float32
        )

    assert raised.value.reason == str(raised.value)


@pytest.mark.parametrize("name", [name for name in OWN if name != "sparse_features"])
def test_under_autocast_neighbours_are_summed_in_the_bound_dtype(name):
    """The transform is rounded to bfloat16, the aggregation is not."""
    probe = next(probe for probe in probe_graphs() if probe.name == "hub_2049")
    layer = backend(name).bind(probe.graph, device=CPU, dtype=torch.float32)
    assert isinstance(layer, AggregatingLayer)
    ones = torch.ones(probe.graph.num_nodes, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        transformed = layer(torch.full_like(ones, 1.00390625), torch.ones(1, 1), None)
        aggregated = layer.aggregate(ones.bfloat16())

    # 1 + 2^-8 is not a bfloat16: it became 1 on the way in.
    assert transformed.dtype == torch.float32
    torch.testing.assert_close(transformed, layer.aggregate(ones), rtol=0, atol=0)
    torch.testing.assert_close(aggregated, layer.aggregate(ones), rtol=0, atol=0)
