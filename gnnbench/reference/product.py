"""Sparse matrix times dense matrix: which of PyTorch's kernels there is for a layout, dtype and device."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from gnnbench.reference.protocol import UnsupportedByBackend

#: `(matrix, h) -> matrix @ h`
Product = Callable[[Tensor, Tensor], Tensor]

#: What PyTorch says where it has no such kernel, as against one that fails.
_MISSING = ("not implemented", "Could not run", "without MKL", "not supported", "requires")


def csr_product(matrix: Tensor, *, backend: str) -> Product:
    """What multiplies CSR matrices like `matrix` by dense ones, without a gradient.

    On a CPU `matrix @ h` goes to MKL, which knows no 16-bit formats and exists on x86 only.
    `torch.sparse.mm` with `reduce="sum"` is PyTorch's own kernel, for CPUs of any kind and for bfloat16 and
    float16, which it sums in float32; it serves where the first is missing.

    Raises:
        UnsupportedByBackend: where neither is there.
    """
    reason = _missing(matrix, torch.matmul)
    if reason is None:
        return torch.matmul
    if _missing(matrix, _reduced) is None:
        return _reduced
    raise _unsupported(backend, matrix, reason)


def require_product(matrix: Tensor, *, backend: str) -> None:
    """Make sure that PyTorch can multiply `matrix` by a dense one and differentiate that.

    Raises:
        UnsupportedByBackend: where PyTorch has no such kernel for this layout, dtype and device.
    """
    reason = _missing(matrix, lambda one, column: torch.autograd.grad((one @ column).sum(), column))
    if reason is not None:
        raise _unsupported(backend, matrix, reason)


def _missing(matrix: Tensor, multiply: Callable[[Tensor, Tensor], object]) -> str | None:
    """Multiply one by one, like `matrix` in layout, dtype and device; the reason where there is no kernel.

    Not `matrix` itself, for empty products are answered without a kernel. A kernel that is there and fails is
    the image's fault: its error passes.
    """
    column = torch.ones(1, 1, dtype=matrix.dtype, device=matrix.device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CS[RC] tensor support is in beta state")
        warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
        one = column.to_sparse(layout=matrix.layout)
        try:
            # Whatever the caller's mode: a layer may be bound for inference.
            with torch.enable_grad():
                multiply(one, column.requires_grad_())
        except (NotImplementedError, RuntimeError) as error:
            text = str(error).partition("\n")[0]
            if isinstance(error, NotImplementedError) or any(mark in text for mark in _MISSING):
                return text
            raise
    return None


def _reduced(matrix: Tensor, h: Tensor) -> Tensor:
    product: Tensor = torch.sparse.mm(matrix, h.detach(), reduce="sum")
    return product


def _unsupported(backend: str, matrix: Tensor, reason: str) -> UnsupportedByBackend:
    layout = str(matrix.layout).removeprefix("torch.")
    return UnsupportedByBackend(
        f"{backend}: PyTorch {torch.__version__} has no {layout} product in {matrix.dtype} on "
        f"{matrix.device.type}: {reason}"
    )
