"""The operators of torch that graph neural networks are made of, each alone and on whole numbers: bit for bit.

The other files judge whole layers, and a layer takes one path through torch; here stand the paths beside it,
with their gradients. Every number is small and whole, or a power of two, so nothing rounds in any order.
"""

from __future__ import annotations

from typing import NoReturn

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, check, fail, not_applicable

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse CS[RC] tensor support is in beta state"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled"),
]

#: Rows, inner dimension and columns. Odd, and across the width of a warp.
_N, _K, _C = 67, 45, 13

FIX = "Nothing rounds here, so the kernel is wrong: run the same lines by hand, then look for another torch or CUDA."


def whole(*shape: int, seed: int) -> Tensor:
    """float32 whole numbers from -3 to 3."""
    return torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(seed)).float()


def sparse_matrix(rows: int, columns: int, *, seed: int) -> Tensor:
    """Dense, with three entries in four zero, the first and the last row and column zero throughout."""
    matrix = whole(rows, columns, seed=seed)
    matrix *= torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.25
    matrix[[0, -1]] = 0
    matrix[:, [0, -1]] = 0
    return matrix


def require_equal(evidence: Evidence, name: str, got: object, expected: Tensor, device: torch.device) -> None:
    """Fail unless `got` is a dense float32 tensor on `device` with exactly the values of `expected`."""
    form = f"float32 of shape {list(expected.shape)} on {device.type}"
    if not isinstance(got, Tensor):
        fail(f"{name}: there is none", expected=form, found=repr(got))
    if got.shape != expected.shape or got.dtype != torch.float32 or got.device.type != device.type:
        fail(
            f"{name} has the wrong form",
            expected=form,
            found=f"{got.dtype} {list(got.shape)} on {got.device}",
        )
    values = got.detach().cpu().double()
    error = (values - expected.double()).abs().nan_to_num(nan=torch.inf)
    worst = int(error.argmax()) if error.numel() else 0
    where = (
        str([int(i) for i in torch.unravel_index(torch.tensor(worst), error.shape)]) if error.numel() else ""
    )
    margin = evidence.margin(
        name, error=float(error.max()) if error.numel() else 0.0, bound=0.0, rule="exact", where=where
    )
    if not margin.passed:
        fail(
            f"{name}: {int((error > 0).sum()):,} of {error.numel():,} entries are wrong",
            expected=f"{float(expected.flatten()[worst]):g} at {where}",
            found=f"{float(values.flatten()[worst]):g}",
        )


@check(catches=("F01",), fix=FIX)
@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_sparse_addmm(layout: str, device: torch.device, evidence: Evidence) -> None:
    """`beta·b + alpha·(A h)` is exact for factors other than 0 and 1, and so are its gradients by b and h."""
    a, h, b, upstream = sparse_matrix(_N, _K, seed=1), *operands()
    sparse = a.to(device).to_sparse() if layout == "coo" else to_csr(a, device)
    for beta, alpha in ((1.0, 1.0), (0.5, 2.0), (-2.0, 1.0), (2.0, -0.5), (0.0, 4.0)):
        h_leaf, b_leaf = (one.to(device, copy=True).requires_grad_() for one in (h, b))
        try:
            out = torch.sparse.addmm(b_leaf, sparse, h_leaf, beta=beta, alpha=alpha)
        except RuntimeError as error:
            without_mkl(error, layout)
        db, dh = torch.autograd.grad(out, (b_leaf, h_leaf), upstream.to(device))
        factors = f"beta {beta:g}, alpha {alpha:g}"
        require_equal(evidence, f"sparse.addmm, {factors}", out, beta * b + alpha * (a @ h), device)
        require_equal(evidence, f"its gradient by b, {factors}", db, beta * upstream, device)
        require_equal(evidence, f"its gradient by h, {factors}", dh, alpha * (a.T @ upstream), device)


def operands() -> tuple[Tensor, Tensor, Tensor]:
    """h `[K, C]`, b `[N, C]` and a gradient from above `[N, C]`."""
    return whole(_K, _C, seed=2), whole(_N, _C, seed=3), whole(_N, _C, seed=4)


def to_csr(a: Tensor, device: torch.device) -> Tensor:
    """`a` in CSR on `device`."""
    return a.to(device).to_sparse_csr()


def without_mkl(error: RuntimeError, layout: str) -> NoReturn:
    """A CPU build without MKL has no CSR product; every other error is the kernel's."""
    if layout == "csr" and "MKL" in str(error):
        not_applicable(
            "this torch was built without MKL, and has no CSR product on a CPU", needs="kernel:csr"
        )
    raise error


@check(catches=("F08", "F23"), fix=FIX)
def test_sparse_by_sparse(device: torch.device, evidence: Evidence) -> None:
    """The product of two sparse matrices is exact, and so is its gradient by every entry of both."""
    a, b = sparse_matrix(_N, _K, seed=5), sparse_matrix(_K, _N, seed=6)
    upstream = whole(_N, _N, seed=7)
    left, right = (one.to(device).to_sparse().requires_grad_() for one in (a, b))
    out = torch.sparse.mm(left, right)
    require_equal(evidence, "sparse.mm", out.to_dense(), a @ b, device)
    found = torch.autograd.grad(out.to_dense(), (left, right), upstream.to(device))
    # torch differentiates by what is there: by the entries of both matrices, through those of the product.
    through = upstream * (a.abs() @ b.abs() != 0)
    expected = (through @ b.T * (a != 0), a.T @ through * (b != 0))
    for name, matrix, gradient, right_one in zip(("left", "right"), (a, b), found, expected, strict=True):
        entries = gradient.to_dense() * (matrix != 0).to(device)
        require_equal(evidence, f"its gradient by the {name}", entries, right_one, device)


@check(catches=("F02", "F06", "F07"), fix=FIX)
def test_conversions(device: torch.device, evidence: Evidence) -> None:
    """Matrices keep their entries from layout to layout, count them, and claim to be sorted only if they are."""
    a = sparse_matrix(_N, _K, seed=8)
    dense = a.to(device)
    forms = {
        "coo": dense.to_sparse(),
        "csr": to_csr(a, device),
        "csc": dense.to_sparse_csc(),
        "coo from csr": to_csr(a, device).to_sparse(),
        "coo from csc": dense.to_sparse_csc().to_sparse(),
        "coo, transposed": dense.to_sparse().t(),
        "csr from coo, transposed": dense.to_sparse().t().to_sparse_csr(),
    }
    count = int((a != 0).sum())
    for name, form in forms.items():
        expected = a.T if "transposed" in name else a
        require_equal(evidence, f"{name}, back to dense", form.to_dense(), expected, device)
        if form._nnz() != count:  # noqa: SLF001 - torch has no other word for it
            fail(f"{name} counts its entries wrongly", expected=f"{count}", found=f"{form._nnz()}")  # noqa: SLF001
        if form.layout == torch.sparse_coo and form.is_coalesced():
            require_sorted(name, form)
    duplicated = torch.sparse_coo_tensor(
        torch.tensor([[3, 1, 3, 1], [2, 0, 2, 0]], device=device),
        torch.tensor([1.0, 2.0, 4.0, 8.0], device=device),
        (4, 3),
    )
    if duplicated.is_coalesced():
        fail("a matrix with duplicates claims to have none", expected="is_coalesced() false", found="true")
    require_sorted("a coalesced matrix", duplicated.coalesce())
    added = torch.zeros(4, 3)
    added[3, 2], added[1, 0] = 5, 10
    require_equal(evidence, "duplicates, to dense", duplicated.to_dense(), added, device)
    require_equal(evidence, "duplicates, coalesced", duplicated.coalesce().to_dense(), added, device)


def require_sorted(name: str, matrix: Tensor) -> None:
    """Fail unless the places of a COO matrix are strictly increasing, row by row."""
    row, column = matrix.indices().cpu()
    keys = row * matrix.shape[1] + column
    if not bool((keys[1:] > keys[:-1]).all()):
        fail(
            f"{name} claims to be coalesced and is not",
            expected="places sorted by row and column, each once",
            found="is_coalesced() true, and places out of order or twice",
            cause="a conversion that sets the flag without sorting",
        )


@check(catches=("F23",), fix=FIX)
def test_coalesce_gradient(device: torch.device, evidence: Evidence) -> None:
    """Adding duplicates up is differentiable: each of them gets the gradient of their sum."""
    places = torch.tensor([[2, 0, 2, 1, 2], [1, 3, 1, 0, 3]])
    values = torch.tensor([1.0, -2.0, 3.0, 2.0, -1.0], device=device, requires_grad=True)
    matrix = torch.sparse_coo_tensor(places.to(device), values, (4, 5))
    h, upstream = whole(5, _C, seed=9), whole(4, _C, seed=10)
    out = torch.sparse.mm(matrix.coalesce(), h.to(device))
    (gradient,) = torch.autograd.grad(out, values, upstream.to(device))
    expected = (upstream[places[0]] * h[places[1]]).sum(dim=1)
    require_equal(evidence, "gradient by the values", gradient, expected, device)


@check(catches=("F04", "F16"), fix=FIX)
@pytest.mark.parametrize("rows", [1, 40])
def test_scatter(rows: int, device: torch.device, evidence: Evidence) -> None:
    """index_add, scatter_add and scatter_reduce are exact, forward and backward, also into a single row."""
    width, edges = 5, 640
    generator = torch.Generator().manual_seed(rows)
    # A hub of half of all edges, the rest spread, the last row without any.
    index = torch.randint(max(1, rows - 1), (edges,), generator=generator)
    index[: edges // 2] = rows // 2
    index = index[torch.randperm(edges, generator=generator)]
    messages, upstream = whole(edges, width, seed=11), whole(rows, width, seed=12)
    spread = index.to(device)[:, None].expand(-1, width)
    added = torch.zeros(rows, width, dtype=torch.float64).index_add_(0, index, messages.double())
    zeros = torch.zeros(rows, width, device=device)

    def judge(name: str, leaf: Tensor, out: Tensor, expected: Tensor) -> None:
        (gradient,) = torch.autograd.grad(out, leaf, upstream.to(device))
        require_equal(evidence, name, out, expected, device)
        require_equal(evidence, f"{name}, gradient", gradient, upstream[index], device)
        # Reading back what was just written is where fused kernels went wrong.
        require_equal(evidence, f"{name}, gathered", out[index.to(device)], expected[index], device)

    for name in ("index_add", "scatter_add", "scatter_reduce"):
        leaf = messages.to(device, copy=True).requires_grad_()
        if name == "index_add":
            out = zeros.index_add(0, index.to(device), leaf)
        elif name == "scatter_add":
            out = zeros.scatter_add(0, spread, leaf)
        else:
            out = zeros.scatter_reduce(0, spread, leaf, "sum")
        judge(name, leaf, out, added)
    for name, kind in (("scatter_max", "amax"), ("scatter_min", "amin")):
        start = zeros - 99 if kind == "amax" else zeros + 99
        expected = start.cpu().double().scatter_reduce(0, spread.cpu(), messages.double(), kind)
        found = start.scatter_reduce(0, spread, messages.to(device), kind)
        require_equal(evidence, name, found, expected, device)


@check(catches=("F14",), fix=FIX)
def test_scatter_mean(device: torch.device, evidence: Evidence) -> None:
    """The mean over 1, 2, 4, ... 1,024 neighbours is exact, forward and backward; over none it is untouched."""
    counts = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 0])
    index = torch.repeat_interleave(torch.arange(len(counts)), counts)
    index = index[torch.randperm(len(index), generator=torch.Generator().manual_seed(13))]
    messages, upstream = whole(len(index), 3, seed=14), whole(len(counts), 3, seed=15)
    leaf = messages.to(device, copy=True).requires_grad_()
    spread = index.to(device)[:, None].expand(-1, 3)
    out = torch.zeros(len(counts), 3, device=device).scatter_reduce(
        0, spread, leaf, "mean", include_self=False
    )
    (gradient,) = torch.autograd.grad(out, leaf, upstream.to(device))
    total = torch.zeros(len(counts), 3, dtype=torch.float64).index_add_(0, index, messages.double())
    divisor = counts.clamp_min(1)[:, None].double()
    require_equal(evidence, "mean", out, total / divisor, device)
    require_equal(evidence, "mean, gradient", gradient, (upstream.double() / divisor)[index], device)
