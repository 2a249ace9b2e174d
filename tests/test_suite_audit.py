"""suites/environment/test_audit.py: an image full of broken files, and what each finding says."""

from compiled_files import needs_compiler, package, torch
from suite_runs import outcomes, run_suite

from gnnbench.faults.site import device_code, stub
from gnnbench.record import ExitCode

GONE = "_ZN3c104goneEv"


def plant(folder):
    """A torch for CUDA 12.6 and A100, and packages that are each wrong in one way."""
    torch(folder, "12.6")
    package(
        folder,
        "torch",
        "lib/libtorch_cuda.so",
        device_code([["sm_80", "compute_80"]]),
        soname="libtorch_cuda.so",
    )
    package(folder, "torch_scatter", "_scatter_cuda.so", device_code([["sm_80"]]) + f"extern void {GONE}(void); void f(void) {{ {GONE}(); }}")  # fmt: skip
    flags = stub(folder / ".stubs" / "libtorch_cuda_cu.so", "libtorch_cuda_cu.so")
    package(folder, "torch_sparse", "_spmm_cuda.so", device_code([["sm_80", "sm_90"]]), flags=flags)
    package(folder, "torch_cluster", "_knn_cpu.so")
    flags = stub(folder / ".stubs" / "libc.so.6", "libc.so.6", symbol="getpid", version="GLIBC_2.99")
    package(folder, "pyg_lib", "libpyg.so", device_code([["compute_70"]]) + "extern void getpid(void); void f(void) { getpid(); }", flags=flags)  # fmt: skip
    flags = stub(folder / "nvidia" / "libcudart.so.11.0", "libcudart.so.11.0")
    package(folder, "torch_spline_conv", "_basis_cuda.so", device_code([["sm_80", "sm_90"]]), flags=flags)
    cut = package(folder, "custom", "_C.so")
    cut.write_bytes(cut.read_bytes()[:200])


def test_a_broken_image(tmp_path):
    """Each question finds its own file, names it with the cause, and says what to do; nothing is imported."""
    needs_compiler()
    folder = tmp_path / "image"
    folder.mkdir()
    plant(folder)
    code, run = run_suite(
        tmp_path,
        "environment/test_audit.py",
        "--gnnbench-target=H100,8.6",
        # Not on PYTHONPATH: whatever else imports torch is to get the real one.
        plant=f"import torch, sys; sys.path.insert(0, {str(folder)!r})",
    )
    found = {result.id.rpartition("/")[2]: result for result in run.results}

    assert code == ExitCode.CHECK_FAILED
    assert set(outcomes(run).values()) == {"failed", "passed"}
    assert found["target[sm_86]"].outcome.value == "passed"
    assert found["target[sm_86]"].facts["files"]["torch/lib/libtorch_cuda.so"] == "binary sm_80"
    assert found["target[sm_86]"].facts["compiled_at_first_use"] == ["pyg_lib/libpyg.so"]
    for name, words in {
        "readable": ["custom/_C.so", "truncated"],
        "needed": ["torch_sparse/_spmm_cuda.so needs libtorch_cuda_cu.so", "torch 2.8.0 (for CUDA 12.6)"],
        "symbols": ["torch_scatter/_scatter_cuda.so wants ", "gone", "built for another torch"],
        "glibc": ["pyg_lib/libpyg.so needs GLIBC_2.99", "libc.so.6"],
        "cuda": ["torch_spline_conv/_basis_cuda.so", "libcudart.so.11.0", "12.6"],
        "kernels": ["torch_cluster: built without CUDA", "kernels"],
        "target[sm_90]": ["torch_scatter/_scatter_cuda.so has no code for sm_90", "sm_80", "no kernel image"],
    }.items():
        finding = found[name].finding
        told = f"{finding.summary} {finding.expected} {finding.found} {finding.cause}"
        assert all(word in told for word in words), (name, told)
        assert finding.fix
    assert "FORCE_CUDA=1" in found["kernels"].finding.fix


def test_a_cpu_image_for_a_gpu(tmp_path):
    """F33: an image whose torch is for the CPU alone can't serve the GPU it is meant for, and everything else is fine.

    The very image that these tests run in, where it is one.
    """
    needs_compiler()
    folder = tmp_path / "image"
    folder.mkdir()
    torch(folder, None)
    code, run = run_suite(
        tmp_path,
        "environment/test_audit.py",
        "--gnnbench-target=sm_90",
        "-k",
        "symbols",
        plant=f"import torch, sys; sys.path.insert(0, {str(folder)!r})",
    )
    target, symbols = run.results

    assert code == ExitCode.CHECK_FAILED
    assert (target.id, symbols.outcome.value) == ("environment/audit/target[sm_90]", "passed")
    assert target.finding.summary == "torch has no code for any GPU, sm_90 included"
    assert "torch 2.8.0 (CPU-only)" in target.finding.found
