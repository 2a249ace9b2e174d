"""The two-layer model: any backend, sparse and dense features, one seed one start."""

import contextlib

import pytest
import torch

from gnnbench.graphs import probe_graphs
from gnnbench.reference import GCN, SparseFeatures, UnsupportedByBackend, backend, backends
from gnnbench.reference.propagation import to_csr

PROBE = next(probe for probe in probe_graphs() if probe.name == "directed")
N = PROBE.graph.num_nodes


def model(**options):
    given = {"num_features": 5, "num_classes": 3, "hidden": 4, "dtype": torch.float64} | options
    return GCN(PROBE.graph, **given)


def features():
    x = torch.rand(N, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return torch.where(x > 0.5, x, 0.0)


def sparse(x):
    return SparseFeatures.of(to_csr(x.to_sparse().coalesce()))


def served():
    """Those that have a layer here: some need a GPU, some a package."""
    for one in backends():
        if "compiled" not in one.name:
            with contextlib.suppress(UnsupportedByBackend):
                one.bind(PROBE.graph, device=torch.device("cpu"), dtype=torch.float64)
                yield one.name


@pytest.mark.parametrize("name", list(served()))
@pytest.mark.parametrize("make", [lambda x: x, sparse], ids=["dense", "sparse"])
def test_it_is_the_formula_of_the_paper(name, make):
    """A-hat relu(A-hat X W1 + b1) W2 + b2, written out with a dense matrix."""
    net = model(backend=name, dropout=0.0)
    with torch.no_grad():
        net.bias_1.copy_(torch.arange(4.0))
        net.bias_2.copy_(torch.arange(3.0))
    identity = torch.eye(N, dtype=torch.float64)
    matrix = backend("dense").bind(PROBE.graph, device=torch.device("cpu"), dtype=torch.float64)(
        identity, identity, None
    )
    hidden = torch.relu(matrix @ features() @ net.weight_1 + net.bias_1)
    expected = matrix @ hidden @ net.weight_2 + net.bias_2

    torch.testing.assert_close(net(make(features())), expected, rtol=1e-13, atol=1e-13)


def test_sparse_and_dense_features_have_the_same_gradients():
    """The hand-written backward pass of sparse features agrees with autograd's of dense ones."""
    gradients = []
    for x in (features(), sparse(features())):
        net = model(dropout=0.0)
        net(x).square().sum().backward()
        gradients.append([parameter.grad for parameter in net.parameters()])

    for dense, stored in zip(*gradients, strict=True):
        torch.testing.assert_close(stored, dense, rtol=1e-13, atol=1e-13)


def test_it_starts_with_glorot_and_zero_biases():
    """Uniform in +-sqrt(6 / (fan in + fan out)), most of that range used."""
    net = model(num_features=200, hidden=100)
    bound = (6 / 300) ** 0.5

    weight = net.weight_1.detach()

    assert 0.99 * bound < float(weight.abs().max()) <= bound
    assert abs(float(weight.mean())) < 0.02 * bound
    assert not bool(net.bias_1.any())
    assert not bool(net.bias_2.any())


def test_a_seed_is_one_start():
    """Same seed, same parameters; the global generator is left alone."""
    before = torch.get_rng_state()
    first, again, other = model(seed=1), model(seed=1), model(seed=2)

    assert torch.equal(first.weight_1, again.weight_1)
    assert not torch.equal(first.weight_1, other.weight_1)
    assert not torch.equal(first.weight_1[:3, :3], first.weight_2[:3, :3])
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_acts_in_training_only():
    """Two evaluations agree, two training passes don't."""
    net = model()
    torch.manual_seed(0)

    assert not torch.equal(net(features()), net(features()))
    net.eval()
    assert torch.equal(net(features()), net(features()))


def test_a_backend_of_ones_own_will_do():
    """Anything with bind serves, registered or not, and with sparse features too."""

    class Borrowed:
        name = "borrowed"

        def bind(self, graph, *, device, dtype, self_loops="add"):
            layer = backend("coo").bind(graph, device=device, dtype=dtype, self_loops=self_loops)
            return lambda *arguments: layer(*arguments)

    expected = model(dropout=0.0)(features())
    torch.testing.assert_close(model(dropout=0.0, backend=Borrowed())(sparse(features())), expected)


def test_what_a_backend_cannot_do_is_said():
    """The model passes the reason on."""
    mixed = probe_graphs()[0].graph

    with pytest.raises(UnsupportedByBackend, match="one already"):
        GCN(mixed, num_features=2, num_classes=2, backend="pyg")
    with pytest.raises(KeyError, match="found 'none_such'"):
        model(backend="none_such")
