"""Which sparse kernels there are: missing is unsupported, failing is an error."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gnnbench.graphs import probe_graphs
from gnnbench.reference import UnsupportedByBackend, backend
from gnnbench.reference.product import csr_product, require_product

CPU = torch.device("cpu")
GRAPH = probe_graphs()[0].graph


class Saying(TorchDispatchMode):
    """Every addmm and mm fails with this error, as a CPU without MKL or a broken library would have it."""

    def __init__(self, error, *, also_reduce=True):
        super().__init__()
        self.error = error
        self.names = {"mm", "addmm", "_sparse_mm", "_sparse_addmm"} | (
            {"_sparse_mm_reduce_impl"} if also_reduce else set()
        )

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in self.names:
            raise self.error
        return function(*args, **(kwargs or {}))


def csr(dtype):
    return torch.sparse_csr_tensor(
        torch.tensor([0, 1, 3], dtype=torch.int32),
        torch.tensor([1, 0, 1], dtype=torch.int32),
        torch.tensor([2.0, 3.0, 4.0], dtype=dtype),
        (2, 2),
        check_invariants=False,
    )


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_csr_products_in_every_dtype(dtype):
    """Where MKL has none, PyTorch's own kernel multiplies."""
    matrix = csr(dtype)
    found = csr_product(matrix, backend="csr")(matrix, torch.tensor([[1.0, 0.5], [2.0, 1.0]], dtype=dtype))

    assert found.dtype == dtype
    assert found.tolist() == [[4.0, 2.0], [11.0, 5.5]]


@pytest.mark.parametrize("name", ["coo", "csr", "csc"])
def test_a_missing_kernel_is_unsupported(name):
    """`bind` says what is missing, for which dtype and device."""
    with (
        Saying(NotImplementedError("\"addmm\" not implemented for 'Half'")),
        pytest.raises(UnsupportedByBackend) as raised,
    ):
        backend(name).bind(GRAPH, device=CPU, dtype=torch.float32)

    assert "torch.float32 on cpu" in raised.value.reason
    assert "not implemented for 'Half'" in raised.value.reason


@pytest.mark.parametrize("name", ["coo", "csr", "csc"])
def test_a_failing_kernel_is_an_error(name):
    """A kernel that is there and fails must not be mistaken for one that is missing (F05)."""
    with (
        Saying(RuntimeError("CUDA error: an illegal memory access was encountered")),
        pytest.raises(RuntimeError, match="illegal memory access"),
    ):
        backend(name).bind(GRAPH, device=CPU, dtype=torch.float32)


def test_without_mkl_csr_falls_back():
    """On a CPU without MKL the layer still is there, and right."""
    no_mkl = RuntimeError("Calling addmm on a sparse CPU tensor requires compiling PyTorch with MKL")
    with Saying(no_mkl, also_reduce=False):
        layer = backend("csr").bind(GRAPH, device=CPU, dtype=torch.float64)
        found = layer.aggregate(torch.eye(GRAPH.num_nodes, dtype=torch.float64))

    identity = torch.eye(GRAPH.num_nodes, dtype=torch.float64)
    dense = backend("dense").bind(GRAPH, device=CPU, dtype=torch.float64)(identity, identity, None)
    torch.testing.assert_close(found, dense, rtol=1e-14, atol=1e-14)


@pytest.mark.filterwarnings("ignore:Sparse CS[RC]")
def test_an_empty_matrix_is_asked_for_its_kernel_too():
    """Empty products need no kernel, so they must not be what shows that there is one."""
    empty = torch.zeros(3, 3, dtype=torch.bfloat16).to_sparse_csc()

    with pytest.raises(UnsupportedByBackend, match=r"sparse_csc product in torch\.bfloat16"):
        require_product(empty, backend="csc")
