"""What torch promises to repeat bit for bit, and how it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

#: What cuBLAS must be told to be deterministic, and the value that torch's message asks for.
_WORKSPACE, _WORKSPACE_VALUE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"


class NoDeterministicImplementation(Exception):
    """torch has only kernels for this operation that may answer differently each time, and says so."""


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    """`torch.use_deterministic_algorithms(True)` for a while; then the setting is what it was.

    torch's promise: operations then give the same result for the same input on the same hardware and
    software, or raise a `RuntimeError`.

    torch also wants CUBLAS_WORKSPACE_CONFIG to be set, and raises at each dense product on a GPU where it is
    not. cuBLAS reads it when its handle is made, so that setting it here quiets torch and changes no product;
    what it guards against are several streams that share one handle's workspace (cuBLAS documentation,
    "Results Reproducibility"), and what runs in here runs on one stream.

    Raises:
        NoDeterministicImplementation: where that is what the `RuntimeError` says.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    workspace = os.environ.get(_WORKSPACE)
    if workspace is None:
        os.environ[_WORKSPACE] = _WORKSPACE_VALUE
    torch.use_deterministic_algorithms(True, warn_only=False)
    try:
        yield
    except RuntimeError as error:
        # "... does not have a deterministic implementation, but you set ...": in torch since 1.7.
        if "deterministic" not in str(error):
            raise
        raise NoDeterministicImplementation(str(error).partition("\n")[0]) from error
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        if workspace is None:
            os.environ.pop(_WORKSPACE, None)


def multiplies_sparse(work: Callable[[], object]) -> bool:
    """Whether `work` runs an operator on a sparse tensor.

    torch's documentation of `use_deterministic_algorithms` names sparse products of matrices neither among
    those that become deterministic nor among those that raise, and cuSPARSE promises it for two of its
    algorithms only (cuSPARSE documentation, `cusparseSpMM`), which torch does not offer to choose.
    """
    seen = _Layouts()
    with seen:
        work()
    return seen.sparse


class _Layouts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sparse = False

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.sparse |= any(isinstance(one, Tensor) and one.layout != torch.strided for one in args)
        return func(*args, **(kwargs or {}))
