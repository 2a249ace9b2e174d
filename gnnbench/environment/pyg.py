"""PyTorch Geometric and its compiled extensions, imported and exercised in a clean child process.

torch_geometric only warns where an extension is broken ("Disabling its usage"), is silent where its import
fails with `ImportError`, and then takes slower paths. Under pytest it behaves differently again: its
`typing.py` looks for PYTEST_CURRENT_TEST. So it is imported where pytest is not, with warnings kept.
"""

from __future__ import annotations

import importlib
import importlib.util
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_FLAGS = {
    "pyg_lib": "WITH_PYG_LIB",
    "torch_scatter": "WITH_TORCH_SCATTER",
    "torch_sparse": "WITH_TORCH_SPARSE",
    "torch_cluster": "WITH_TORCH_CLUSTER",
    "torch_spline_conv": "WITH_TORCH_SPLINE_CONV",
}
#: The optional extensions of torch_geometric, as modules.
EXTENSIONS: tuple[str, ...] = tuple(_FLAGS)
#: What torch_geometric says where it goes on without an extension, and torch where NumPy's ABI does not fit.
_DEGRADED = ("Disabling its usage", "_ARRAY_API", "compiled using NumPy 1.x", "Failed to initialize NumPy")


def installed_extensions() -> tuple[str, ...]:
    """The extensions that Python finds, without importing any."""
    return tuple(name for name in EXTENSIONS if importlib.util.find_spec(name) is not None)


def degraded(messages: Sequence[str]) -> list[str]:
    """Those of the warnings that say that something is switched off or does not fit."""
    return [message for message in messages if any(sign in message for sign in _DEGRADED)]


def import_torch_geometric() -> dict[str, Any]:
    """In a child: import torch_geometric with every warning kept. Raises what the import raises."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch_geometric = importlib.import_module("torch_geometric")
        typing = importlib.import_module("torch_geometric.typing")
    flags = {
        name: value
        for name, value in vars(typing).items()
        # WITH_PT25 and its like repeat the version of torch.
        if name.startswith("WITH_") and not name.startswith("WITH_PT") and isinstance(value, bool)
    }
    return {
        "version": torch_geometric.__version__,
        # Deprecations repeat by the dozen.
        "warnings": list(dict.fromkeys(str(warning.message) for warning in caught)),
        "flags": flags,
    }


def probe(extensions: Sequence[str]) -> dict[str, Any]:
    """In a child: import torch_geometric, then import each extension and run one of its ops.

    Returns:
        What `import_torch_geometric` says, and under `"extensions"` for each name: `"version"`,
        `"flag"` (whether torch_geometric uses it; None where it has no flag for it), `"devices"` (where an
        op was run and found right) and `"error"` (empty, or the traceback).
    """
    answer = import_torch_geometric()
    answer["extensions"] = {name: exercise(name, answer["flags"]) for name in extensions}
    return answer


def exercise(name: str, flags: dict[str, bool] | None = None) -> dict[str, Any]:
    """In a child: import one extension and run one of its ops on the CPU and every GPU."""
    devices: list[str] = []
    error, version = "", None
    try:
        module = importlib.import_module(name)
        version = getattr(module, "__version__", None)
        import torch

        for device in ("cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))):
            _OPS[name](module, torch.device(device))
            devices.append(device)
    except Exception:
        error = traceback.format_exc()
    flag = None if flags is None else flags.get(_FLAGS[name])
    return {"version": version, "flag": flag, "devices": devices, "error": error}


def _expect(what: str, actual: torch.Tensor, expected: Sequence[Any]) -> None:
    """Small whole numbers leave nothing to round: every device and order of summation must agree exactly."""
    if actual.tolist() != list(expected):
        raise ArithmeticError(f"{what}: expected {list(expected)}, found {actual.tolist()}")


def _torch_scatter(module: Any, device: torch.device) -> None:
    import torch

    # segment_csr is compiled; scatter(..., "sum") is torch's own scatter_add in disguise.
    x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], device=device, requires_grad=True)
    out = module.segment_csr(x, torch.tensor([0, 2, 2, 6], device=device), reduce="sum")
    (out * torch.tensor([1.0, 2.0, 3.0], device=device)).sum().backward()
    _expect("segment_csr", out, [3, 0, 18])
    _expect("segment_csr, gradient", _gradient(x), [1, 1, 3, 3, 3, 3])
    y = torch.tensor([1.0, 7.0, 3.0], device=device, requires_grad=True)
    largest = module.scatter(y, torch.tensor([0, 0, 1], device=device), dim=0, reduce="max")
    largest.sum().backward()
    _expect("scatter_max", largest, [7, 3])
    _expect("scatter_max, gradient", _gradient(y), [0, 1, 1])


def _torch_sparse(module: Any, device: torch.device) -> None:
    import torch

    row, col = torch.tensor([0, 0, 1], device=device), torch.tensor([0, 2, 1], device=device)
    value = torch.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)
    x = torch.tensor([[1.0], [2.0], [4.0]], device=device, requires_grad=True)
    adjacency = module.SparseTensor(row=row, col=col, value=value, sparse_sizes=(2, 3))
    out = adjacency.matmul(x)
    out.sum().backward()
    _expect("SparseTensor.matmul", out, [[9], [6]])
    _expect("SparseTensor.matmul, gradient", _gradient(x), [[1], [3], [2]])
    _expect("SparseTensor.matmul, gradient of the values", _gradient(value), [1, 4, 2])


def _torch_cluster(module: Any, device: torch.device) -> None:
    import torch

    # It assigns nodes to clusters; there is nothing to differentiate.
    position = torch.tensor([[0.5, 0.5], [2.5, 0.5], [0.6, 0.4]], device=device)
    cluster = module.grid_cluster(position, torch.tensor([1.0, 1.0], device=device)).tolist()
    if cluster[0] != cluster[2] or cluster[0] == cluster[1]:
        raise ArithmeticError(f"grid_cluster: expected nodes 0 and 2 together and 1 apart, found {cluster}")
    row, col = module.knn(position, position[1:2], 1)
    _expect("knn", torch.stack([row, col]), [[0], [1]])


def _torch_spline_conv(module: Any, device: torch.device) -> None:
    import torch

    # At pseudo-coordinate 0 a linear open spline has all its weight on the first of its two matrices.
    x = torch.tensor([[1.0], [2.0]], device=device, requires_grad=True)
    weight = torch.tensor([[[3.0]], [[5.0]]], device=device, requires_grad=True)
    out = module.spline_conv(
        x,
        torch.tensor([[0, 1], [1, 0]], device=device),
        torch.zeros(2, 1, device=device),
        weight,
        torch.tensor([2], device=device),
        torch.tensor([1], dtype=torch.uint8, device=device),
        degree=1,
        norm=False,
    )
    out.sum().backward()
    _expect("spline_conv", out.flatten().sort().values, [3, 6])
    _expect("spline_conv, gradient", _gradient(x), [[3], [3]])
    _expect("spline_conv, gradient of the weight", _gradient(weight).flatten(), [3, 0])


def _pyg_lib(module: Any, device: torch.device) -> None:
    import torch

    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device=device, requires_grad=True)
    weight = torch.tensor([[[1.0], [1.0]], [[2.0], [0.0]]], device=device, requires_grad=True)
    out = module.ops.segment_matmul(x, torch.tensor([0, 1, 3], device=device), weight)
    out.sum().backward()
    _expect("segment_matmul", out, [[3], [6], [10]])
    _expect("segment_matmul, gradient", _gradient(x), [[1, 1], [2, 0], [2, 0]])
    _expect("segment_matmul, gradient of the weight", _gradient(weight), [[[1], [2]], [[8], [10]]])


def _gradient(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.grad is None:
        raise ArithmeticError("expected a gradient, found none")
    return tensor.grad


_OPS: dict[str, Callable[[Any, torch.device], None]] = {
    "pyg_lib": _pyg_lib,
    "torch_scatter": _torch_scatter,
    "torch_sparse": _torch_sparse,
    "torch_cluster": _torch_cluster,
    "torch_spline_conv": _torch_spline_conv,
}
