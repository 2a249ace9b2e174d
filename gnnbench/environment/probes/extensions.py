"""An op of each compiled extension of PyG, forward and backward, on whole numbers: nothing is rounded."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gnnbench.environment.probes.result import expect, gradient, kernels, lasting_threads

if TYPE_CHECKING:
    import torch


def exercise(name: str) -> dict[str, Any]:
    """In a child: import one extension and run one of its ops on the CPU and every GPU.

    Returns:
        `version`, the `devices` on which it was right, the `kernels` that it launched on the last of them, and the
        `threads` that it leaves and that keep a program from ending.

    Raises what the extension raises, `ArithmeticError` for a wrong result, `FellBackError` for one from elsewhere.
    """
    module = importlib.import_module(name)
    import torch

    devices: list[str] = []
    launched = None
    for device_name in ("cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))):
        device = torch.device(device_name)
        # Twice: some are right at the first call alone, or once they have warmed up.
        _OPS[name](module, device)
        _, launched = kernels(device, lambda device=device: _OPS[name](module, device))  # type: ignore[misc]
        devices.append(device_name)
    return {
        "version": getattr(module, "__version__", None),
        "devices": devices,
        "kernels": launched,
        "threads": lasting_threads(),
    }


def _torch_scatter(module: Any, device: torch.device) -> None:
    import torch

    # segment_csr is compiled; scatter(..., "sum") is torch's own scatter_add in disguise.
    x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], device=device, requires_grad=True)
    out = module.segment_csr(x, torch.tensor([0, 2, 2, 6], device=device), reduce="sum")
    (out * torch.tensor([1.0, 2.0, 3.0], device=device)).sum().backward()
    expect("segment_csr", out, [3, 0, 18], device)
    expect("segment_csr, gradient", gradient(x), [1, 1, 3, 3, 3, 3], device)
    y = torch.tensor([1.0, 7.0, 3.0], device=device, requires_grad=True)
    largest = module.scatter(y, torch.tensor([0, 0, 1], device=device), dim=0, reduce="max")
    largest.sum().backward()
    expect("scatter_max", largest, [7, 3], device)
    expect("scatter_max, gradient", gradient(y), [0, 1, 1], device)


def _torch_sparse(module: Any, device: torch.device) -> None:
    import torch

    row, col = torch.tensor([0, 0, 1], device=device), torch.tensor([0, 2, 1], device=device)
    value = torch.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)
    x = torch.tensor([[1.0], [2.0], [4.0]], device=device, requires_grad=True)
    adjacency = module.SparseTensor(row=row, col=col, value=value, sparse_sizes=(2, 3))
    out = adjacency.matmul(x)
    out.sum().backward()
    expect("SparseTensor.matmul", out, [[9], [6]], device)
    expect("SparseTensor.matmul, gradient", gradient(x), [[1], [3], [2]], device)
    expect("SparseTensor.matmul, gradient of the values", gradient(value), [1, 4, 2], device)


def _torch_cluster(module: Any, device: torch.device) -> None:
    import torch

    # It assigns nodes to clusters; there is nothing to differentiate.
    position = torch.tensor([[0.5, 0.5], [2.5, 0.5], [0.6, 0.4]], device=device)
    cluster = module.grid_cluster(position, torch.tensor([1.0, 1.0], device=device)).tolist()
    if cluster[0] != cluster[2] or cluster[0] == cluster[1]:
        raise ArithmeticError(f"grid_cluster: expected nodes 0 and 2 together and 1 apart, found {cluster}")
    row, col = module.knn(position, position[1:2], 1)
    expect("knn", torch.stack([row, col]), [[0], [1]], device)


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
    expect("spline_conv", out.flatten().sort().values, [3, 6], device)
    expect("spline_conv, gradient", gradient(x), [[3], [3]], device)
    expect("spline_conv, gradient of the weight", gradient(weight).flatten(), [3, 0], device)


def _pyg_lib(module: Any, device: torch.device) -> None:
    import torch

    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device=device, requires_grad=True)
    weight = torch.tensor([[[1.0], [1.0]], [[2.0], [0.0]]], device=device, requires_grad=True)
    out = module.ops.segment_matmul(x, torch.tensor([0, 1, 3], device=device), weight)
    out.sum().backward()
    expect("segment_matmul", out, [[3], [6], [10]], device)
    expect("segment_matmul, gradient", gradient(x), [[1, 1], [2, 0], [2, 0]], device)
    expect("segment_matmul, gradient of the weight", gradient(weight), [[[1], [2]], [[8], [10]]], device)


_OPS: dict[str, Callable[[Any, torch.device], None]] = {
    "pyg_lib": _pyg_lib,
    "torch_scatter": _torch_scatter,
    "torch_sparse": _torch_sparse,
    "torch_cluster": _torch_cluster,
    "torch_spline_conv": _torch_spline_conv,
}
