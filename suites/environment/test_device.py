"""What every device has to do before anything is said of graphs: run kernels of each library, and get them right.

Each kernel runs in a process of its own, forked from a clean one: a crash, a hang, a wrong result and a result from
another device are told apart, and harm no other check.
"""

from __future__ import annotations

import os
import shlex
import shutil
from importlib.util import find_spec

import torch

from gnnbench.checks import Evidence, check, fail, inconclusive, not_applicable
from gnnbench.environment import gpu_absence
from gnnbench.environment.libraries import MappedLibrary, doubled, scattered, several_majors
from gnnbench.environment.survey import Survey
from gnnbench.numerics import classify

from .probing import Probing, ran_on, value_of

_GPU = gpu_absence() is None


@check(catches=("F28", "F33"), fix="run the same lines by hand, with CUDA_LAUNCH_BLOCKING=1 on a GPU")
def test_kernel(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """A kernel runs on the device that was asked for, and its whole numbers are exact."""
    what = f"an elementwise kernel on {device}"
    ran_on(value_of(probing.start("device/kernel", str(device)).wait(), what, evidence), str(device), what)


@check(catches=("F46",), fix="look at OMP_NUM_THREADS, MKL_* and the BLAS that is mapped")
def test_matmul(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """A float32 matrix product is within its componentwise bound of the float64 product."""
    what = f"a matrix product on {device}"
    value = value_of(probing.start("device/matmul", str(device)).wait(), what, evidence)
    margin = evidence.margin("matmul", error=value["error"], bound=value["bound"], rule="componentwise")
    ran_on(value, str(device), what)
    if not margin.passed:
        fail(
            f"{what} is beyond its rounding errors",
            expected=f"an error of at most {margin.bound:.3g}",
            found=f"{margin.error:.3g}",
            cause="TF32 is on where float32 was asked for, or the BLAS is broken",
        )


@check(
    catches=("F30", "F31"),
    fix="see that one cuDNN is found: unset LD_LIBRARY_PATH, or uninstall the system's",
)
def test_convolution(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """A convolution runs forward and backward (cuDNN on a GPU, oneDNN on a CPU) and agrees with float64."""
    what = f"a convolution on {device}"
    value = value_of(probing.start("device/convolution", str(device)).wait(), what, evidence)
    ran_on(value, str(device), what)
    # cuDNN may use TF32 unless that is switched off; the classes and their bands are those of numerics.
    allowed = ("fp32", "tf32 or fp16") if value["tf32_allowed"] else ("fp32",)
    found = {name: classify(float(rho)) for name, rho in value["relative_error"].items()}
    evidence.fact("precision", found)
    wrong = [name for name, kind in found.items() if kind not in allowed]
    if wrong:
        fail(
            f"{what} is wrong: {', '.join(wrong)}",
            expected=f"a relative error of the class {' or '.join(allowed)}",
            found=", ".join(
                f"{name} {float(value['relative_error'][name]):.3g} ({found[name]})" for name in wrong
            ),
        )


@check(catches=("F28",), fix="run a `torch.sparse` product by hand; on a GPU see which libcusparse is mapped")
def test_sparse(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """CSR and COO products (cuSPARSE on a GPU) are exact on whole numbers, forward and backward."""
    what = f"a sparse product on {device}"
    ran_on(value_of(probing.start("device/sparse", str(device)).wait(), what, evidence), str(device), what)


@check(catches=("F28",), fix="see which libcusolver, or which LAPACK, is mapped")
def test_solve(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """A linear system (cuSOLVER on a GPU, LAPACK on a CPU) is solved exactly where nothing is to be rounded."""
    what = f"a linear system on {device}"
    ran_on(value_of(probing.start("device/solve", str(device)).wait(), what, evidence), str(device), what)


@check(catches=("F28",), fix="see which libcufft is mapped")
def test_fft(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """A Fourier transform (cuFFT on a GPU) of an impulse and of ones is exact."""
    what = f"a Fourier transform on {device}"
    ran_on(value_of(probing.start("device/fft", str(device)).wait(), what, evidence), str(device), what)


@check(
    catches=("F28",),
    fix="see that libnvrtc and libnvrtc-builtins are there, and of the CUDA that torch was built for",
)
def test_nvrtc(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """NVRTC compiles a kernel from source, and it is exact."""
    if device.type != "cuda":
        not_applicable("NVRTC compiles for GPUs", needs="cuda", fix="gnnbench run --device cuda")
    what = f"a kernel that NVRTC compiled for {device}"
    ran_on(value_of(probing.start("device/nvrtc", str(device)).wait(), what, evidence), str(device), what)


@check(
    tier="smoke" if _GPU else "standard",
    catches=("F15",),
    fix="on a GPU install the triton that torch asks for, and a C compiler; on a CPU a C++ compiler with its headers",
)
def test_compiled(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """torch.compile generates a kernel (Triton on a GPU, C++ on a CPU), and it is exact."""
    what = f"a kernel that torch.compile made for {device}"
    report = probing.start("device/compiled", str(device)).wait()
    broken = _compiler(device)
    shows = "`python -c 'import triton'`" if device.type == "cuda" else f"`{broken} --version`"
    if not report.ok and _lacks_compiler(report.error) and broken:
        fail(
            f"{what}: {broken} is here and does not work",
            expected="a compiler that can be used, or none",
            found=report.error,
            cause="installed in part, or for another torch, Python or C library",
            fix=f"{shows} shows why; install it again, as the release that this torch asks for",
        )
    if not report.ok and _lacks_compiler(report.error):
        evidence.fact("ended", report.error)
        not_applicable(
            f"there is nothing to compile with: {report.error}",
            needs="package:triton" if device.type == "cuda" else "compiler",
            fix="install triton, or a C++ compiler, if your code uses torch.compile",
        )
    ran_on(value_of(report, what, evidence), str(device), what)


def _compiler(device: torch.device) -> str:
    """What torch.compile would compile with here, as far as it is installed; empty where it is not."""
    if device.type == "cuda":
        return "triton" if find_spec("triton") is not None else ""
    words = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    return shutil.which(words[0]) or ""


def _lacks_compiler(error: str) -> bool:
    return any(
        sign in error for sign in ("InvalidCxxCompiler", "TritonMissing", "Cannot find a working triton")
    )


@check(
    catches=("F40",),
    fix="between GPUs: switch the IOMMU off or to pass-through (`iommu=pt`) and ACS off, or set NCCL_P2P_DISABLE=1; to "
    "the host: drain the machine, and read `nvidia-smi -q -d ECC`",
)
def test_copies(probing: Probing, evidence: Evidence) -> None:
    """Bytes arrive as they were sent, between all GPUs and between each and the host, both ways."""
    value = value_of(probing.start("device/copies").wait(), "copies between devices", evidence)
    wrong = value["wrong"]
    if wrong:
        first = wrong[0]
        fail(
            f"{len(wrong)} of {value['pairs']} ways of copying change what they copy",
            expected=f"{value['bytes']:,} bytes, unchanged",
            found=f"from {first['from']} to {first['to']}: {first['wrong_bytes']:,} wrong, from byte {first['first']:,} "
            f"on, up to {first['longest_run']:,} in a row",
            cause="memory between devices that is lost in whole pages: an IOMMU or ACS stands between them"
            if first["longest_run"] >= 512
            else "single bytes that change: a link or memory that loses bits",
        )


@check(catches=("F30", "F32"), fix="uninstall one of the two, or unset LD_LIBRARY_PATH")
def test_libraries(survey: Survey, evidence: Evidence) -> None:
    """No CUDA library is mapped twice, in two major versions or from two folders, after kernels have run."""
    if survey.blind:
        inconclusive(
            f"the mapped libraries could not be read: {survey.blind}",
            expected="what /proc/self/maps lists in a child after a convolution, a sparse product and a collective",
            fix="mount /proc into the container; the other checks of this suite tell what does not run",
        )
    libraries = [MappedLibrary(one["path"], (one["device"], one["inode"])) for one in survey.libraries]
    evidence.fact("mapped", len(libraries))
    evidence.fact("after", survey.value["ran"])
    conflicts = {**doubled(libraries), **several_majors(libraries), **scattered(libraries)}
    evidence.fact("conflicts", {name: list(paths) for name, paths in conflicts.items()})
    if conflicts:
        name, paths = next(iter(conflicts.items()))
        fail(
            f"{len(conflicts)} libraries are mapped more than once, or from more than one place: {', '.join(conflicts)}",
            expected="one file for each CUDA library, and all of cuDNN from one folder",
            found=f"{name}: {', '.join(paths)}",
            cause="wheels for two CUDA versions, or a system copy found through LD_LIBRARY_PATH",
        )
