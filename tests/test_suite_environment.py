"""suites/environment: broken images, planted, turn their checks red."""

import pytest
from suite_runs import outcomes, run_suite

from gnnbench.record import ExitCode, Outcome

BROKEN_MATMUL = """
import torch
matmul = torch.Tensor.__matmul__
def rounded(a, b):
    if a.dtype == torch.float32:
        a = (a.view(torch.int32) & ~0x1FFF).view(torch.float32)  # TF32 keeps 10 bits of the fraction
    return matmul(a, b)
torch.Tensor.__matmul__ = rounded
"""

BROKEN_CONVOLUTION = """
import torch
conv2d = torch.nn.functional.conv2d
def wrong(x, w, *rest):
    out = conv2d(x, w, *rest)
    return out if x.dtype == torch.float64 else out.roll(1, -1)
torch.nn.functional.conv2d = wrong
"""

TWO_CUDNNS = """
from gnnbench.environment import libraries
found = libraries.mapped_libraries
libraries.mapped_libraries = lambda: found() + libraries.parse_maps(
    "0-1 r-xp 0 fe:0 1 /a/libcudnn.so.9\\n0-1 r-xp 0 fe:0 2 /b/libcudnn.so.9"
)
"""

SMALL_SHM = """
import os
allocate = os.posix_fallocate
def small(descriptor, offset, size):
    if size > 64 * 2**20:
        raise OSError(28, "No space left on device")
    return allocate(descriptor, offset, size)
os.posix_fallocate = small
"""


def test_clean(tmp_path):
    """On a sound machine without a GPU everything that applies passes, and the rest says what it needs."""
    code, run = run_suite(tmp_path, "environment")
    absent = run.with_outcome(Outcome.NOT_APPLICABLE)

    assert code == ExitCode.GOOD
    assert run.count(Outcome.PASSED) >= 6
    assert {result.finding.needs for result in absent} <= {"cuda"}


def test_required_gpu(tmp_path):
    """F33: where a GPU was required, its absence fails, with exit code 12 and the reason."""
    code, run = run_suite(tmp_path, "environment", "--gnnbench-require=cuda:2")
    failed = run.with_outcome(Outcome.FAILED)

    assert code == ExitCode.CONTRACT_UNMET
    assert {result.finding.needs for result in failed} == {"cuda"}
    assert run.count(Outcome.NOT_APPLICABLE) == 0


@pytest.mark.parametrize(
    ("plant", "check"),
    [
        (BROKEN_MATMUL, "device/matmul[cpu]"),
        (BROKEN_CONVOLUTION, "device/convolution[cpu]"),
        (TWO_CUDNNS, "device/libraries[cpu]"),
        (SMALL_SHM, "limits/shared_memory"),
    ],
)
def test_faults_are_caught(tmp_path, plant, check):
    """Each plant turns its own check red, and says what to do."""
    name = check.rpartition("/")[2].partition("[")[0]
    code, run = run_suite(tmp_path, "environment", "-k", name, plant=plant)

    assert code == ExitCode.CHECK_FAILED
    assert outcomes(run)[check] == "failed"
    assert run.results[0].finding.fix


def test_a_broken_extension_is_caught(tmp_path):
    """F25, F26: an extension that is installed and does not load fails, though PyG only warns of it."""
    package = tmp_path / "torch_scatter"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise OSError('torch_scatter/_C.so: undefined symbol: _ZN5torch3jit17parseSchemaOrName')\n"
    )
    code, run = run_suite(tmp_path, "environment", "-k", "pyg")

    assert code == ExitCode.CHECK_FAILED
    assert outcomes(run) == {"child/pyg": "failed"}
    assert "undefined symbol" in run.results[0].finding.found
