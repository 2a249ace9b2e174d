"""The backend on sparse features: what is multiplied is what is stored, and no gradient is made for nothing."""

import pytest
import torch

from gnnbench.graphs import probe_graphs
from gnnbench.reference import SparseFeatures, backend, sparse_features

CPU = torch.device("cpu")
GRAPH = next(probe.graph for probe in probe_graphs() if probe.name == "mixed")


def bag_of_words():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(GRAPH.num_nodes, 6, dtype=torch.float64, generator=generator)
    x[torch.rand(x.shape, generator=generator) < 0.7] = 0
    x[4] = 0
    return x


@pytest.mark.parametrize("channels", [2, 9])
def test_sparse_x_gives_what_dense_x_does(channels):
    """Rows without a feature included, whichever of the widths is the larger."""
    x = bag_of_words()
    weight = torch.randn(6, channels, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found, expected = (
        backend(name).bind(GRAPH, device=CPU, dtype=torch.float64)(x, weight, None)
        for name in ("sparse_features", "dense")
    )

    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


def test_only_what_is_stored_is_multiplied(monkeypatch):
    """The transform goes through SparseFeatures, with as many entries as x has nonzeros."""
    stored = []
    of = SparseFeatures.of

    def counting(matrix):
        stored.append(matrix.values().shape[0])
        return of(matrix)

    monkeypatch.setattr(sparse_features.SparseFeatures, "of", staticmethod(counting))
    x = bag_of_words()
    layer = backend("sparse_features").bind(GRAPH, device=CPU, dtype=torch.float64)
    layer(x, torch.ones(6, 2, dtype=torch.float64), None)

    assert stored == [int((x != 0).sum())]


def test_the_gradient_by_x_is_there_for_zeros_too():
    """As for a dense x: autograd knows no pattern."""
    x = bag_of_words().requires_grad_()
    weight = torch.ones(6, 2, dtype=torch.float64, requires_grad=True)
    layer = backend("sparse_features").bind(GRAPH, device=CPU, dtype=torch.float64)

    assert torch.autograd.gradcheck(lambda x, weight: layer(x, weight, None), (x, weight))


def test_autocast_changes_nothing():
    """As in training: products with sparse features run in the bound dtype."""
    layer = backend("sparse_features").bind(GRAPH, device=CPU, dtype=torch.float32)
    x, weight = bag_of_words().float(), torch.full((6, 2), 1.00390625)
    expected = layer(x, weight, None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(x, weight, None)

    assert torch.equal(found, expected)
