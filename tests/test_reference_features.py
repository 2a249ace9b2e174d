"""Sparse features: the same numbers as dense ones, and dropout on what is stored."""

import pytest
import torch

from gnnbench.reference import SparseFeatures
from gnnbench.reference.propagation import to_csr

DENSE = torch.tensor([[0.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 5.0]], dtype=torch.float64)
WEIGHT = torch.tensor([[1.0, -1.0], [2.0, 0.5], [9.0, 9.0], [0.25, 4.0]], dtype=torch.float64)


@pytest.fixture
def features():
    return SparseFeatures.of(to_csr(DENSE.to_sparse().coalesce()))


def test_they_multiply_as_dense_ones(features):
    """Forward, and the gradient of the weight, empty row and empty column included."""
    weight = WEIGHT.clone().requires_grad_()
    upstream = torch.tensor([[1.0, 0.0], [5.0, 5.0], [0.0, 2.0]], dtype=torch.float64)
    out = features.transform(weight)
    (gradient,) = torch.autograd.grad(out, weight, upstream)

    assert out.tolist() == (DENSE @ WEIGHT).tolist()
    assert gradient.tolist() == (DENSE.T @ upstream).tolist()


def test_dropout_drops_stored_values_alike_in_matrix_and_transpose(features):
    """Kept values are scaled by 1/(1-p), and the backward pass sees the very same mask."""
    torch.manual_seed(0)
    dropped = features.dropout(0.5, training=True)
    matrix = dropped.matrix.to_dense()

    assert torch.equal(dropped.transpose.to_dense(), matrix.T)
    assert torch.equal((matrix == 0) | (matrix == 2 * DENSE), torch.ones_like(DENSE, dtype=torch.bool))
    assert 0 < int((matrix != 0).sum()) < int((DENSE != 0).sum())


def test_no_dropout_in_evaluation(features):
    """Nothing is dropped, nothing copied."""
    assert features.dropout(0.5, training=False) is features
    assert features.dropout(0.0, training=True) is features


def test_they_change_dtype(features):
    """The product follows, also to a dtype that MKL does not know."""
    low = features.to(torch.bfloat16)

    assert low.values.dtype == torch.bfloat16
    assert low.transform(WEIGHT.bfloat16()).dtype == torch.bfloat16


def test_autocast_does_not_touch_their_product(features):
    """Sparse products keep the dtype of the features; the training says so in its result."""
    single = features.to(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert single.transform(WEIGHT.float()).dtype == torch.float32


def test_another_layout_is_refused():
    """Dense features need no SparseFeatures."""
    with pytest.raises(ValueError, match=r"x: expected a CSR tensor, found layout torch\.strided"):
        SparseFeatures.of(DENSE)
