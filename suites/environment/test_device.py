"""What every device has to do before anything is said of graphs: run kernels, and get them right."""

from __future__ import annotations

import torch

from gnnbench.checks import Evidence, check, fail
from gnnbench.environment.libraries import doubled, mapped_libraries, scattered, several_majors
from gnnbench.numerics import classify, relative_error

#: Unit roundoff of float32, and the length of the sums below.
_U = 2.0**-24
_K = 96


@check(catches=("F28", "F33"), fix="run the same lines by hand, with CUDA_LAUNCH_BLOCKING=1 on a GPU")
def test_kernel(device: torch.device, evidence: Evidence) -> None:
    """A kernel runs on the device that was asked for, and its whole numbers are exact."""
    numbers = torch.arange(4096, device=device, dtype=torch.float32)
    result = numbers * 3 + 1
    evidence.fact("device", str(result.device))
    wrong = int((result.cpu() != torch.arange(4096) * 3 + 1).sum())
    if result.device != torch.device(device) or wrong:
        fail(
            "an elementwise kernel gave a wrong result",
            expected=f"4096 exact results on {device}",
            found=f"{wrong} wrong ones on {result.device}",
            cause="machine code for another architecture, or a faulty device",
        )


@check(catches=("F46",), fix="look at OMP_NUM_THREADS, MKL_* and the BLAS that is mapped")
def test_matmul(device: torch.device, evidence: Evidence) -> None:
    """A float32 matrix product is within its componentwise bound of the float64 product."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(128, _K, generator=generator), torch.randn(_K, 64, generator=generator)
    got = (a.to(device) @ b.to(device)).cpu().double()
    # |fl(AB) - AB| <= gamma_K |A||B| in any order of summation: Higham, Accuracy and Stability, eq. 3.13.
    gamma = _K * _U / (1 - _K * _U)
    bound = gamma * (a.abs().double() @ b.abs().double())
    error = (got - a.double() @ b.double()).abs()
    worst = int((error / bound).nan_to_num(nan=float("inf")).argmax())
    margin = evidence.margin(
        "matmul",
        error=float(error.flatten()[worst]),
        bound=float(bound.flatten()[worst]),
        rule="componentwise",
    )
    if not margin.passed:
        fail(
            f"a matrix product on {device} is beyond its rounding errors",
            expected=f"an error of at most {margin.bound:.3g}",
            found=f"{margin.error:.3g}",
            cause="TF32 is on where float32 was asked for, or the BLAS is broken",
        )


@check(
    catches=("F30", "F31"),
    fix="see that one cuDNN is found: unset LD_LIBRARY_PATH, or uninstall the system's",
)
def test_convolution(device: torch.device, evidence: Evidence) -> None:
    """A convolution runs (cuDNN on a GPU, oneDNN on a CPU) and agrees with float64."""
    generator = torch.Generator().manual_seed(1)
    x, w = torch.randn(4, 16, 24, 24, generator=generator), torch.randn(8, 16, 3, 3, generator=generator)
    got = torch.nn.functional.conv2d(x.to(device), w.to(device)).cpu()
    expected = torch.nn.functional.conv2d(x.double(), w.double())
    rho = relative_error(got, expected)
    # cuDNN may use TF32 unless that is switched off; the classes and their bands are those of numerics.
    may_round = device.type == "cuda" and torch.backends.cudnn.allow_tf32
    allowed = ("fp32", "tf32 or fp16") if may_round else ("fp32",)
    found = classify(rho)
    evidence.fact("relative_error", rho)
    evidence.fact("precision", found)
    if device.type == "cuda":
        evidence.fact("cudnn", torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    if found not in allowed:
        fail(
            f"a convolution on {device} is wrong",
            expected=f"a relative error of the class {' or '.join(allowed)}",
            found=f"{rho:.3g} ({found})",
        )


@check(catches=("F30", "F32"), fix="uninstall one of the two, or unset LD_LIBRARY_PATH")
def test_libraries(device: torch.device, evidence: Evidence) -> None:
    """No CUDA library is mapped twice, in two major versions or from two folders, after kernels have run."""
    torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4, device=device), torch.ones(1, 1, 3, 3, device=device))
    libraries = mapped_libraries()
    evidence.fact("mapped", len(libraries))
    conflicts = {**doubled(libraries), **several_majors(libraries), **scattered(libraries)}
    evidence.fact("conflicts", {name: list(paths) for name, paths in conflicts.items()})
    if conflicts:
        name, paths = next(iter(conflicts.items()))
        fail(
            f"{len(conflicts)} libraries are mapped more than once, or from more than one place",
            expected="one file for each CUDA library, and all of cuDNN from one folder",
            found=f"{name}: {', '.join(paths)}",
            cause="wheels for two CUDA versions, or a system copy found through LD_LIBRARY_PATH",
        )
