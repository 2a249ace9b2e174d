"""A kernel of each library: BLAS, DNN, sparse, solver, FFT, and those that are compiled when they are called.

On a GPU they are cuBLAS, cuDNN, cuSPARSE, cuSOLVER, cuFFT, NVRTC and Triton; on a CPU the BLAS and LAPACK of torch,
oneDNN, torch's own sparse kernels and pocketfft or MKL.
"""

from __future__ import annotations

from typing import Any

from gnnbench.environment.probes.result import expect, gradient, kernels

#: Unit roundoff of float32, and the length of the sums of `matmul`.
_U = 2.0**-24
_K = 96


def elementwise(device_name: str) -> dict[str, Any]:
    """torch's own kernels: whole numbers, exact."""
    import torch

    device = torch.device(device_name)
    numbers = torch.arange(4096, device=device, dtype=torch.float32)
    result, launched = kernels(device, lambda: numbers * 3 + 1)
    expect("3 x + 1", result, torch.arange(4096, dtype=torch.float32) * 3 + 1, device)
    return {"device": str(result.device), "kernels": launched}


def matmul(device_name: str) -> dict[str, Any]:
    """A float32 product: `error` and `bound` where they are closest.

    |fl(AB) - AB| <= gamma_K |A||B| in any order of summation: Higham, Accuracy and Stability, eq. 3.13.
    """
    import torch

    device = torch.device(device_name)
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(128, _K, generator=generator), torch.randn(_K, 64, generator=generator)
    there = a.to(device), b.to(device)
    result, launched = kernels(device, lambda: there[0] @ there[1])
    gamma = _K * _U / (1 - _K * _U)
    bound = gamma * (a.abs().double() @ b.abs().double())
    error = (result.cpu().double() - a.double() @ b.double()).abs()
    worst = int((error / bound).nan_to_num(nan=float("inf")).argmax())
    return {
        "device": str(result.device),
        "kernels": launched,
        "error": float(error.flatten()[worst]),
        "bound": float(bound.flatten()[worst]),
    }


def convolution(device_name: str) -> dict[str, Any]:
    """A convolution, forward and backward: `relative_error` of each against float64, and the precision allowed."""
    import torch
    from torch.nn.functional import conv2d

    device = torch.device(device_name)
    generator = torch.Generator().manual_seed(1)
    x, w = torch.randn(4, 16, 24, 24, generator=generator), torch.randn(8, 16, 3, 3, generator=generator)
    inputs = _leaf(x, device), _leaf(w, device)
    (result, _), launched = kernels(
        device,
        lambda: (out := conv2d(*inputs), out.backward(torch.ones_like(out))),  # type: ignore[no-untyped-call]
    )
    exact = x.double().requires_grad_(), w.double().requires_grad_()
    right = conv2d(*exact)
    right.backward(torch.ones_like(right))  # type: ignore[no-untyped-call]
    pairs = {
        "forward": (result, right),
        "dX": (inputs[0].grad, exact[0].grad),
        "dW": (inputs[1].grad, exact[1].grad),
    }
    on_gpu = device.type == "cuda"
    return {
        "device": str(result.device),
        "kernels": launched,
        "relative_error": {name: _relative(*pair) for name, pair in pairs.items()},
        # cuDNN may use TF32 unless that is switched off.
        "tf32_allowed": bool(on_gpu and torch.backends.cudnn.allow_tf32),
        "cudnn": torch.backends.cudnn.version() if on_gpu else None,  # type: ignore[no-untyped-call]
    }


def _leaf(values: Any, device: Any) -> Any:
    """A copy of `values` on `device` to take a gradient by; `to` alone would hand out the same tensor on a CPU."""
    return values.detach().to(device, copy=True).requires_grad_()


def _relative(found: Any, right: Any) -> float:
    """The norm of the difference divided by that of the right answer; infinite where anything is NaN."""
    error = (found.detach().cpu().double() - right.detach()).norm() / right.detach().norm()
    return float(error.nan_to_num(nan=float("inf")))


def sparse(device_name: str) -> dict[str, Any]:
    """CSR and COO times dense, forward and backward, on whole numbers: a loop, a double edge, an empty row, a hub."""
    import torch

    device = torch.device(device_name)
    rows = torch.tensor([0, 0, 0, 1, 2, 2, 4, *[5] * 40])
    columns = torch.tensor([1, 1, 3, 1, 0, 5, 4, *[i % 6 for i in range(40)]])
    values = (torch.arange(len(rows)) % 5 - 2).float()
    dense = torch.zeros(6, 6).index_put_((rows, columns), values, accumulate=True)
    x = (torch.arange(24).reshape(6, 4) % 7 - 3).float()
    coo = torch.sparse_coo_tensor(torch.stack([rows, columns]), values, (6, 6)).coalesce().to(device)
    launched = None
    for name, matrix in (("CSR", coo.to_sparse_csr()), ("COO", coo)):
        operand = _leaf(x, device)

        def step(matrix: Any = matrix, operand: Any = operand) -> Any:
            out = matrix @ operand
            out.sum().backward()
            return out

        result, launched = kernels(device, step)
        expect(f"{name} times dense", result, dense @ x, device)
        expect(f"{name} times dense, gradient", gradient(operand), dense.T @ torch.ones(6, 4), device)
    return {"device": str(result.device), "kernels": launched}


def solve(device_name: str) -> dict[str, Any]:
    """A linear system whose elimination rounds nothing: a permuted bidiagonal matrix of ones and halves."""
    import torch

    device = torch.device(device_name)
    size = 12
    matrix = torch.eye(size) + torch.diag(torch.full((size - 1,), 0.5), -1)
    order = torch.arange(size).roll(5)
    right = (torch.arange(2 * size).reshape(size, 2) % 5 - 2).float()
    operands = matrix[order].to(device), (matrix @ right)[order].to(device)
    result, launched = kernels(device, lambda: torch.linalg.solve(*operands))
    expect("linalg.solve", result, right, device)
    return {"device": str(result.device), "kernels": launched}


def fft(device_name: str) -> dict[str, Any]:
    """Of an impulse and of ones, which are exact in every algorithm: sums of equal numbers and of zeros."""
    import torch

    device = torch.device(device_name)
    impulse, ones = torch.zeros(256), torch.ones(256)
    impulse[0] = 1
    signals = torch.stack([impulse, ones]).to(device)
    result, launched = kernels(device, lambda: torch.fft.rfft(signals))
    right = torch.zeros(2, 129)
    right[0], right[1, 0] = 1, 256
    expect("rfft, real part", result.real, right, device)
    expect("rfft, imaginary part", result.imag, torch.zeros(2, 129), device)
    return {"device": str(result.device), "kernels": launched}


def nvrtc(device_name: str) -> dict[str, Any]:
    """A kernel that NVRTC compiles from source when it is called, as torch does for some of its own."""
    import torch

    device = torch.device(device_name)
    source = "template <typename T> T gnnbench_probe(T x) { return x * x + 1; }"
    function = torch.cuda.jiterator._create_jit_fn(source)  # noqa: SLF001 - the name under which torch documents it
    numbers = torch.arange(512, device=device, dtype=torch.float32)
    result, launched = kernels(device, lambda: function(numbers))
    expect("x² + 1", result, torch.arange(512, dtype=torch.float32) ** 2 + 1, device)
    return {"device": str(result.device), "kernels": launched}


def compiled(device_name: str) -> dict[str, Any]:
    """A gather and a sum of messages through torch.compile: Triton on a GPU, a C++ compiler on a CPU."""
    import torch

    device = torch.device(device_name)
    source, target = torch.tensor([0, 1, 1, 2, 3, 0]), torch.tensor([1, 0, 2, 2, 0, 0])
    x = (torch.arange(32).reshape(4, 8) % 5 - 2).float()

    def aggregate(x: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x).index_add(0, target, 2 * x[source] + 1)

    operands = x.to(device), source.to(device), target.to(device)
    function = torch.compile(aggregate)
    function(*operands)
    result, launched = kernels(device, lambda: function(*operands))
    expect("compiled index_add", result, aggregate(x, source, target), device)
    return {"device": str(result.device), "kernels": launched}
