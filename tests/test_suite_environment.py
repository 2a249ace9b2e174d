"""suites/environment: broken images, planted, turn their checks red."""

import pytest
from suite_runs import outcomes, run_suite

from gnnbench.checks.outcomes import describe
from gnnbench.record import ExitCode, Outcome

BROKEN_MATMUL = """
matmul = module.Tensor.__matmul__
def rounded(a, b):
    if a.dtype == module.float32 and a.layout == module.strided:
        a = (a.view(module.int32) & ~0x1FFF).view(module.float32)  # TF32 keeps 10 bits of the fraction
    return matmul(a, b)
module.Tensor.__matmul__ = rounded
"""

BROKEN_CONVOLUTION = """
conv2d = module.nn.functional.conv2d
def wrong(x, w, *rest):
    out = conv2d(x, w, *rest)
    return out if x.dtype == module.float64 else out.roll(1, -1)
module.nn.functional.conv2d = wrong
"""

BROKEN_SPARSE = """
to_csr = module.Tensor.to_sparse_csr
def lossy(tensor, *rest):
    matrix = to_csr(tensor, *rest)
    values = matrix.values().clone()
    values = values.flip(0)
    return module.sparse_csr_tensor(matrix.crow_indices(), matrix.col_indices(), values, matrix.shape)
module.Tensor.to_sparse_csr = lossy
"""

#: A solver that crashes, and a transform that comes from another device.
CRASHING_SOLVER = """
import os
module.linalg.solve = lambda *_: os.kill(os.getpid(), 11)
rfft = module.fft.rfft
module.fft.rfft = lambda x: rfft(x).to("meta")
"""

#: A copy that loses a page, as one behind an IOMMU does.
LOSSY_COPY = """
copy = module.Tensor.copy_
def lossy(target, source, *rest, **named):
    out = copy(target, source, *rest, **named)
    if target.numel() > 2**24:
        target.view(-1)[8192:12288] = 0
    return out
module.Tensor.copy_ = lossy
"""

HANGING_WORKERS = """
import time
module.data.DataLoader.__iter__ = lambda self: time.sleep(600)
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

#: Where a probe would take minutes to be given up.
IMPATIENT = """
from dataclasses import replace
from suites.environment import probing
probing.PROBES["limits/workers"] = replace(probing.PROBES["limits/workers"], timeout=3.0)
"""

MIXED_PACKAGES = """
from gnnbench.environment import packages
real = packages.installed()
packages.installed = lambda: {
    **real, "torch": "2.0.0+cu118", "torchvision": "0.15.0+cpu",
    "nvidia-cudnn-cu11": "8", "nvidia-cudnn-cu12": "9",
}
packages.doubled = lambda: {"torch": ("2.0.0", "2.1.0")}
"""

OTHER_PYTHON = """
import importlib.metadata
real = importlib.metadata.metadata
importlib.metadata.metadata = lambda name: {"Requires-Python": "<3.8"} if name == "numpy" else real(name)
"""

NARROW_LIMITS = """
import resource
real = resource.getrlimit
narrow = {
    resource.RLIMIT_NOFILE: (256, 256), resource.RLIMIT_MEMLOCK: (65536, 65536), resource.RLIMIT_CPU: (3600, 3600),
    resource.RLIMIT_FSIZE: (2**20, 2**20), resource.RLIMIT_AS: (2**40, 2**40), resource.RLIMIT_STACK: (2**16, 2**16),
}
resource.getrlimit = lambda number: narrow.get(number) or real(number)
from gnnbench.environment import shared_memory
def refused(size):
    raise OSError(12, "Cannot allocate memory")
shared_memory.lock = refused
def nowhere():
    raise OSError(30, "Read-only file system")
shared_memory.scratch = nowhere
"""

#: What spline_conv is at pseudo-coordinate 0: the first matrix alone.
WORKING_SPLINE = """
import torch
def spline_conv(x, edge_index, pseudo, weight, kernel_size, is_open_spline, degree, norm):
    return torch.zeros(2, 1).index_add(0, edge_index[0], x[edge_index[1]] @ weight[0])
"""


def test_clean(tmp_path):
    """On a sound machine without a GPU everything that applies passes, and the rest says what it needs."""
    code, run = run_suite(tmp_path, "environment")
    absent = run.with_outcome(Outcome.NOT_APPLICABLE)

    assert code == ExitCode.GOOD
    assert run.count(Outcome.PASSED) >= 6
    assert {result.finding.needs.partition(":")[0] for result in absent} <= {"cuda", "package"}


def test_required(tmp_path):
    """F33: what was required and is absent fails, with exit code 12, also where no check would use it."""
    code, run = run_suite(
        tmp_path, "environment", "--gnnbench-require=cuda:2,package:no_such_library,package:torch"
    )
    failed = run.with_outcome(Outcome.FAILED)
    found = outcomes(run)

    assert code == ExitCode.CONTRACT_UNMET
    assert {result.finding.needs for result in failed} == {"cuda", "cuda:2", "package:no_such_library"}
    assert found["required/required[cuda:2]"] == "failed"
    assert found["required/required[package:no_such_library]"] == "failed"
    assert found["required/required[package:torch]"] == "passed"
    assert {r.finding.needs.partition(":")[0] for r in run.with_outcome(Outcome.NOT_APPLICABLE)} <= {
        "package"
    }


#: Check → what its finding must say.
CAUGHT = {
    "device/matmul[cpu]": "beyond its rounding errors",
    "device/convolution[cpu]": "is wrong: forward",
    "device/sparse[cpu]": "wrong result",
    "device/solve[cpu]": "killed by SIGSEGV",
    "device/fft[cpu]": "fell back to another device",
    "device/copies": "from cpu to cpu: 4,096 wrong, from byte 8,192 on, up to 4,096 in a row",
    "limits/workers": "a DataLoader with two workers: hung",
    "limits/shared_memory": "256 MiB of /dev/shm to write to",
    "limits/open_files": "only 256 files may be open at once",
    "limits/locked_memory": "Cannot allocate memory",
    "limits/resource[cpu_time]": "SIGXCPU",
    "limits/resource[file_size]": "1,048,576 bytes",
    "limits/resource[address_space]": "CUDA reserves addresses",
    "limits/resource[stack]": "at least 2,097,152 bytes",
    "limits/scratch": "Read-only file system",
    "packages/torch": "torch 2.0.0",
    "packages/torch_family": "torchvision+cpu",
    "packages/nvidia_wheels": "cudnn: CUDA 11 and 12",
    "packages/recorded_once": "torch 2.0.0 and 2.1.0",
    "packages/python": "<3.8",
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """One run against many plants, each with names of its own: a run takes seconds."""
    plants = (NARROW_LIMITS, MIXED_PACKAGES, OTHER_PYTHON, IMPATIENT)
    return run_suite(
        tmp_path_factory.mktemp("broken"),
        "environment",
        *("--gnnbench-tier=standard", "-k", "not compiled and not data"),
        plant="\n".join(f"exec({one!r}, {{}})" for one in plants),
        children={
            "torch": BROKEN_MATMUL + BROKEN_CONVOLUTION + BROKEN_SPARSE + CRASHING_SOLVER + LOSSY_COPY,
            "torch.utils": HANGING_WORKERS,
            "gnnbench.environment.shared_memory": SMALL_SHM,
        },
    )


def test_each_plant_turns_its_own_checks_red_and_no_other(broken):
    """And each finding says what to do."""
    code, run = broken
    failed = run.with_outcome(Outcome.FAILED)

    assert code == ExitCode.CHECK_FAILED
    assert {result.id.partition("/")[2] for result in failed} == set(CAUGHT)
    assert all(result.finding.fix for result in failed)


@pytest.mark.parametrize("check", CAUGHT)
def test_the_finding_names_what_was_planted(broken, check):
    """A crash, a hang, a wrong result, a result from elsewhere and a limit each have words of their own."""
    (result,) = (one for one in broken[1].results if one.id == f"environment/{check}")

    assert CAUGHT[check] in describe(result.finding)


SICK_GPUS = """
from pathlib import Path
from gnnbench.faults.fake_gpus import FakeGpus, Later, sound
gpus = FakeGpus(Path("driver"))
gpus.say({**sound(3), "cuda_count": 2, "gpu0.pcie.width": 8, "gpu1.rows.pending": 1, "gpu2.temperature": 99,
          "gpu0.fail.nvmlDeviceGetEnforcedPowerLimit": 4, "gpu1.temperature": -40, "xid": 48})
gpus.install()
later = Later(gpus, {**sound(3), "cuda_count": 2, "xid": 48, "gpu1.fail.nvmlDeviceGetHandleByIndex_v2": 15,
                     "gpu0.violation.1": 2 * 10**9, "gpu0.pcie.replays": 500})
pytest_runtest_setup = later.pytest_runtest_setup
"""


def test_sick_gpus(tmp_path):
    """F35, F39: each trouble turns its own check red, what can't be read is inconclusive, and all else is green."""
    code, run = run_suite(tmp_path, "environment", "-k", "health or identity or packages", plant=SICK_GPUS)
    found = {name: outcome for name, outcome in outcomes(run).items() if name.startswith(("health", "gpu"))}
    told = {result.id.rpartition("/")[2]: result.finding for result in run.results if result.finding}

    assert code == ExitCode.CHECK_FAILED
    assert {name for name, outcome in found.items() if outcome == "failed"} == {
        "health/remapped_rows", "health/pcie", "health/throttling", "health/xids", "health/unchanged",
        "health/still_there",
    }  # fmt: skip
    assert {name for name, outcome in found.items() if outcome == "inconclusive"} == {
        "health/temperature", "health/power",
    }  # fmt: skip
    assert run.results[-1].id == "environment/health/still_there"
    assert "GPU 1" in told["still_there"].found
    assert "GPU is lost" in told["still_there"].found
    assert told["pcie"].summary == "cuda:0 = GPU 0: its PCIe link runs on 8 of 16 lanes"
    assert "NVIDIA H100 80GB HBM3, GPU-00000000-" in told["pcie"].found
    assert "by heat for 2 s" in told["throttling"].found
    assert "500 PCIe packets" in told["unchanged"].found
    assert "Xid 48" in told["xids"].summary
    assert "which is -40" in told["temperature"].summary
    assert "refused: Insufficient Permissions" in told["power"].found
    assert all(finding.fix for finding in told.values())
    assert run.environment.value("hardware.gpu_count") == 2
    assert run.environment.value("hardware.pcie_width") == 8


def test_sound_gpus(tmp_path):
    """On two sound GPUs every check of their health passes; torch plays no part in it."""
    plant = SICK_GPUS.partition("gpus.say")[0] + "gpus.say(sound())\ngpus.install()\n"
    _, run = run_suite(tmp_path, "environment", "-k", "health or identity or mig", plant=plant)
    found = outcomes(run)
    # Who may not read the kernel's log, and hears events, can judge all the same.
    assert found.keys() >= {"gpu/identity", "gpu/mig", "health/answers", "health/xids", "health/others"}
    assert set(found.values()) == {"passed"}, [r.finding for r in run.results if r.finding]


def test_a_broken_extension_is_caught(tmp_path):
    """F25, F26: an extension that is installed and does not load fails, though PyG only warns of it."""
    package = tmp_path / "torch_scatter"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise OSError('torch_scatter/_C.so: undefined symbol: _ZN5torch3jit17parseSchemaOrName')\n"
    )
    code, run = run_suite(tmp_path, "environment", "-k", "child and (test_pyg or torch_scatter)")

    assert code == ExitCode.CHECK_FAILED
    assert outcomes(run) == {"child/pyg": "failed", "child/extension[torch_scatter]": "failed"}
    assert all("undefined symbol" in result.finding.found for result in run.results)


def test_an_extension_that_crashes_is_told_from_its_neighbour(tmp_path):
    """One extension that takes its process down is blamed alone, and PyG's own import is not."""
    for name, body in (
        ("torch_cluster", "import os; os.abort()"),
        ("torch_spline_conv", WORKING_SPLINE),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(body)
    code, run = run_suite(
        tmp_path, "environment", "-k", "torch_cluster or torch_spline_conv", plant="",
    )  # fmt: skip
    crashed = next(result for result in run.results if "torch_cluster" in result.id)

    assert code == ExitCode.CHECK_FAILED
    assert outcomes(run) == {
        "child/extension[torch_cluster]": "failed",
        "child/extension[torch_spline_conv]": "passed",
    }
    assert "SIGABRT" in crashed.finding.found


def test_an_image_without_torch(tmp_path):
    """Where torch can't be imported every suite is red and says why, and what needs no torch is judged."""
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise ImportError('libcudart.so.12: cannot open shared object file')\n"
    )
    code, run = run_suite(
        tmp_path, "", "--continue-on-collection-errors", "-k", "python or test_", device=None
    )

    assert code == ExitCode.CHECK_FAILED
    assert outcomes(run)["python/version"] == "passed"
    broken = {
        result.suite: result for result in run.results if "could not be imported" in str(result.finding)
    }
    assert set(broken) == {"environment", "equivalence", "precision", "memory", "throughput"}
    assert all("libcudart.so.12" in result.finding.summary for result in broken.values())


def test_an_image_without_pyg(tmp_path):
    """Without PyTorch Geometric a run is neither good nor wrong: it says what it could not judge."""
    hide = """
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch_geometric" else find_spec(name, *rest)
"""
    code, run = run_suite(tmp_path, "environment", "-k", "packages or version", plant=hide)

    assert code == ExitCode.INCONCLUSIVE
    assert outcomes(run)["packages/pyg"] == "inconclusive"


def test_what_is_required_is_judged_whatever_suites_are_chosen(tmp_path):
    """`--suite precision --require package:x` must not pass because the judge was left out."""
    code, run = run_suite(
        tmp_path,
        "",
        "--gnnbench-suite=precision",
        "--gnnbench-require=package:not-there",
        "-k",
        "required or paper",
    )

    assert code == ExitCode.CONTRACT_UNMET
    assert outcomes(run) == {
        "required/required[package:not-there]": "failed",
        "training/paper[cpu]": "not_applicable",
    }


def test_a_requirement_is_out_of_reach_of_keywords(tmp_path):
    """`-k csr --require cuda` judges the requirement all the same."""
    code, run = run_suite(tmp_path, "environment", "--gnnbench-require=cuda", "-k", "python and version")

    assert code == ExitCode.CONTRACT_UNMET
    assert outcomes(run) == {"required/required[cuda]": "failed", "python/version": "passed"}


def test_an_empty_folder_is_no_data_set(tmp_path):
    """`--require dataset:Cora` asks for the files, not for a folder of that name."""
    (tmp_path / "data" / "Cora").mkdir(parents=True)
    code, run = run_suite(
        tmp_path, "environment", "--gnnbench-require=dataset:Cora", f"--gnnbench-data={tmp_path / 'data'}",
        "-k", "version",
    )  # fmt: skip

    assert code == ExitCode.CONTRACT_UNMET
    assert "raw files are missing" in run.results[0].finding.summary


#: A disk that is full, files that can't be opened for there are too many, and an extension that computes rightly and
#: leaves a thread behind.
FULL = """
import errno, os
from gnnbench.environment import audit, shared_memory
def full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
shared_memory.scratch = full
audit.unloadable = lambda found: [
    audit.Unloadable(found.files[0], f"can't be read: {os.strerror(errno.EMFILE)}")
]
"""
LINGERING = """
import threading, time, torch
threading.Thread(target=time.sleep, args=(600,), name="watcher").start()

def segment_csr(src, indptr, reduce):
    return torch.stack([src[a:b].sum() for a, b in zip(indptr[:-1].tolist(), indptr[1:].tolist())])

def scatter(src, index, dim, reduce):
    out = torch.full((int(index.max()) + 1,), float("-inf"))
    return out.scatter_reduce(dim, index, src, "amax")
"""


def test_causes_that_look_like_others(tmp_path):
    """A full disk is no read-only one, a limit on files no broken file, and a thread that stays no wrong result."""
    (tmp_path / "torch_scatter").mkdir()
    (tmp_path / "torch_scatter" / "__init__.py").write_text(LINGERING)
    code, run = run_suite(
        tmp_path, "environment", "-k", "(audit and readable) or test_scratch or torch_scatter", plant=FULL
    )
    told = {result.id.partition("/")[2]: result.finding for result in run.with_outcome(Outcome.FAILED)}

    assert code == ExitCode.CHECK_FAILED
    assert set(told) == {"audit/readable", "limits/scratch", "child/extension[torch_scatter]"}
    assert "a limit on open files" in told["audit/readable"].cause
    assert told["limits/scratch"].cause == "the file system is full"
    assert told["child/extension[torch_scatter]"].found == "watcher"
    assert "leaves threads" in told["child/extension[torch_scatter]"].summary
