"""suites/environment/test_libraries.py: fake libraries, made by the C compiler, are told apart by what is wrong."""

import ctypes
import dataclasses

import pytest
from compiled_files import needs_compiler
from suite_runs import run_suite

from gnnbench.checks.outcomes import describe
from gnnbench.environment import ForkServer
from gnnbench.environment.cuda_libraries import VERSION_FUNCTIONS, candidates, load
from gnnbench.faults.native import shared_library
from gnnbench.record import ExitCode, Outcome

GOOD = {
    "libcudart.so.12": "int cudaRuntimeGetVersion(int *v) { *v = 12060; return 0; }",
    "libcublas.so.12": "int cublasGetProperty(int t, int *v) { *v = t == 0 ? 12 : t == 1 ? 6 : 4; return 0; }",
    "libcufft.so.11": "int cufftGetVersion(int *v) { *v = 11204; return 0; }",
    "libnvrtc.so.12": "int nvrtcVersion(int *a, int *b) { *a = 12; *b = 6; return 0; }",
    "libnvJitLink.so.12": "int nvJitLinkVersion(unsigned *a, unsigned *b) { *a = 12; *b = 6; return 0; }",
    "libnccl.so.2": "int ncclGetVersion(int *v) { *v = 22105; return 0; }",
    "libcudnn.so.9": "unsigned long cudnnGetVersion(void) { return 90501; }",
    "libcudnn_ops.so.9": "int cudnnOpsVersionCheck(void) { return 0; }",
    # They have no function that says anything; each cuDNN 9 brings them.
    "libcudnn_engines_precompiled.so.9": "int nothing(void) { return 0; }",
    "libcupti.so.12": "int cuptiGetVersion(unsigned *v) { *v = 24; return 0; }",
}

#: What is wrong with one of them → what the check says of it.
BROKEN = {
    "libcudart.so.12": (
        "int cudaRuntimeGetVersion(int *v) { return 35; }",
        "cudaRuntimeGetVersion answered 35",
    ),
    "libcublas.so.12": ("int nothing(void) { return 0; }", "has no function cublasGetProperty: a stub"),
    "libcufft.so.11": (
        "#include <signal.h>\n__attribute__((constructor)) static void start(void) { raise(SIGSEGV); }",
        "killed by SIGSEGV",
    ),
    "libnvrtc.so.12": (
        "#include <unistd.h>\n__attribute__((constructor)) static void start(void) { for (;;) pause(); }",
        "hung: no end within 4 s",
    ),
    "libnvJitLink.so.12": (
        "extern int lacking(void);\nint nvJitLinkVersion(unsigned *a, unsigned *b) { return lacking(); }",
        "undefined symbol: lacking",
    ),
    "libnccl.so.2": (
        "#include <stdlib.h>\n__attribute__((constructor)) static void start(void) { exit(7); }",
        "exit status 7 without an answer",
    ),
    "libcudnn.so.9": GOOD["libcudnn.so.9"],
    "libcudnn_ops.so.9": (
        "int cudnnOpsVersionCheck(void) { return 1002; }",
        "cudnnOpsVersionCheck answered 1002: it is of another release than libcudnn itself",
    ),
}

#: Versions that do not fit → what the check says.
MISFITS = {
    "libcudnn.so.9": (
        "unsigned long cudnnGetVersion(void) { return 8907; }",
        "libcudnn.so.9 says that it is 8.9.7",
    ),
    "libcublas.so.12": (
        "int cublasGetProperty(int t, int *v) { *v = t == 0 ? 11 : 4; return 0; }",
        "parts of CUDA 11 and 12 are mixed",
    ),
    "libnccl.so.2": ("int ncclGetVersion(int *v) { *v = 21403; return 0; }", "libnccl is 2.14.3"),
}

#: torch as if it had been built with these, and a clock that gives up early.
BUILT_WITH = """
import torch
torch.cuda.nccl.version = lambda: (2, 21, 5)
torch._C._nccl_version = lambda: 0
from suites.environment import test_libraries
test_libraries._TIMEOUT_S = 4.0
"""


@pytest.fixture(scope="module", autouse=True)
def _compiler():
    needs_compiler()


def folder_of(folder, libraries):
    """Compile each, as a folder that LD_LIBRARY_PATH may name."""
    for name, source in libraries.items():
        flags = ["-Wl,--unresolved-symbols=ignore-all"] if "lacking" in source else []
        shared_library(source, folder / name, soname=name, flags=flags)
    return folder


def finding_of(folder, libraries, check):
    """What the check says where LD_LIBRARY_PATH offers `libraries`; the exit code and the result."""
    environment = {"LD_LIBRARY_PATH": str(folder_of(folder / "lib", libraries)), "PYTHONPATH": str(folder)}
    code, run = run_suite(
        folder, "environment", "-k", f"libraries and {check}", plant=BUILT_WITH, environment=environment
    )
    (result,) = (one for one in run.results if one.id == f"environment/libraries/{check}")
    return code, result


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """What is said of all that are broken, at once."""
    sources = {name: one if isinstance(one, str) else one[0] for name, one in BROKEN.items()}
    return finding_of(tmp_path_factory.mktemp("broken"), sources, "load")


@pytest.mark.parametrize("name", [name for name, one in BROKEN.items() if not isinstance(one, str)])
def test_each_broken_library_is_told_by_how_it_is_broken(broken, name):
    """A crash, a hang, a stub, an undefined symbol, an error and a silent exit are not one thing."""
    code, result = broken

    assert code == ExitCode.CHECK_FAILED
    (told,) = (part for part in result.finding.found.split("; ") if f"/{name}: " in part)
    assert BROKEN[name][1] in told


def test_the_good_one_among_them_is_left_alone(broken):
    """It is counted, and not blamed."""
    assert "7 of 8 CUDA libraries" in broken[1].finding.summary
    assert "libcudnn.so.9:" not in broken[1].finding.found


def test_versions_that_do_not_fit(tmp_path):
    """F31, F32: a name, the toolkit's other parts, and what torch was built with."""
    code, result = finding_of(
        tmp_path, {**GOOD, **{name: one[0] for name, one in MISFITS.items()}}, "versions"
    )

    assert code == ExitCode.CHECK_FAILED
    for _, words in MISFITS.values():
        assert words in describe(result.finding)


def test_libraries_that_fit(tmp_path):
    """They are green, and their versions are told."""
    code, result = finding_of(tmp_path, GOOD, "versions")

    assert code == ExitCode.GOOD
    assert result.facts["versions"] == {
        "libcudart": ["12.6"],
        "libcublas": ["12.6.4"],
        "libcufft": ["11.2.4"],
        "libnvrtc": ["12.6"],
        "libnvJitLink": ["12.6"],
        "libnccl": ["2.21.5"],
        "libcudnn": ["9.5.1"],
    }


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("libcudnn_heuristic.so.9", "int nothing(void) { return 0; }"),
        ("libcudnn_engines_tensor_ir.so.9", "int nothing(void) { return 0; }"),
        ("libcudnn_cnn_infer.so.9", "int cudnnCnnInferVersionCheck(void) { return 0; }"),
        ("libnvrtc-builtins.so.12.4", "int nothing(void) { return 0; }"),
        ("libnvToolsExt.so.1", "int nvtxRangePushA(const char *text) { return 0; }"),
        ("libcufile.so.0", "int cuFileHandleRegister(void) { return 0; }"),
        ("libnvshmem_host.so.3", "int nvshmem_my_pe(void) { return 0; }"),
        ("libcupti.so.12", "int cuptiGetVersion(unsigned *v) { *v = 24; return 0; }"),
    ],
)
def test_libraries_that_say_no_version(tmp_path, monkeypatch, name, needs):
    """They load, and a file in their place that is cut short does not."""
    shared_library(GOOD["libcudnn.so.9"], tmp_path / "libcudnn.so.9", soname="libcudnn.so.9")
    ctypes.CDLL(str(tmp_path / "libcudnn.so.9"))
    path = shared_library(needs, tmp_path / name, soname=f"{tmp_path.name}-{name}")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

    assert str(path) in candidates()
    assert load(str(path))["version"] == ""
    broken = tmp_path / "broken" / name
    broken.parent.mkdir()
    broken.write_bytes(path.read_bytes()[:50])
    with pytest.raises(OSError, match=r"file too short|invalid ELF"):
        load(str(broken))


@pytest.mark.parametrize(
    "name", ["libnvToolsExt.so.1", "libcufile.so.0", "libnvshmem_host.so.3", "libcupti.so.12"]
)
def test_a_stub_of_one_that_says_no_version(tmp_path, name):
    """It lacks a function that every release has."""
    path = shared_library(
        "int nothing(void) { return 0; }", tmp_path / name, soname=f"{tmp_path.name}-{name}"
    )

    with pytest.raises(AttributeError, match=r"has no function \w+: a stub"):
        load(str(path))


def test_sonames_of_two_numbers(tmp_path, monkeypatch):
    """CUDA 11 calls its runtime libcudart.so.11.0; files that are named by their whole version are found by soname."""
    for name in ("libcudart.so.11.0", "libcudart.so.11.8.89"):
        shared_library("int nothing(void) { return 0; }", tmp_path / name)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

    assert [one for one in candidates() if str(tmp_path) in one] == [str(tmp_path / "libcudart.so.11.0")]


@pytest.mark.parametrize(
    ("family", "source", "version"),
    [
        ("libcudnn", "unsigned long cudnnGetVersion(void) { return 8907; }", "8.9.7"),
        ("libnccl", "int ncclGetVersion(int *v) { *v = 2804; return 0; }", "2.8.4"),
        ("libcurand", "int curandGetVersion(int *v) { *v = 10307; return 0; }", "10.3.7"),
    ],
)
def test_numbers_are_read_as_their_headers_have_them(tmp_path, family, source, version):
    """Old cuDNN and NCCL count in thousands, later ones in ten thousands."""
    path = shared_library(source, tmp_path / f"{family}.so.1")

    assert load(str(path))["version"] == version


def test_every_family_has_a_function():
    """A name that nobody can be asked by is no entry."""
    assert all(one.name and callable(one.read) for one in VERSION_FUNCTIONS.values())


def test_a_gpu_gets_an_interpreter_of_its_own_where_cuda_was_initialised_too_early(tmp_path, monkeypatch):
    """A fork of a process that has called cuInit can't use a GPU."""
    answers = {"untouched": 3, "touched": 0}
    for name, answer in answers.items():
        shared_library(
            f"int cuCtxGetCurrent(void **context) {{ return {answer}; }}",
            tmp_path / name / "libcuda.so.1",
            soname="libcuda.so.1",
        )
        (tmp_path / f"{name}_cuda.py").write_text(
            f"import ctypes; ctypes.CDLL({str(tmp_path / name / 'libcuda.so.1')!r})"
        )
    monkeypatch.syspath_prepend(tmp_path)
    for name in answers:
        with ForkServer([f"{name}_cuda"]) as server:
            forked, alone = (server.start("os:getppid", timeout=30, gpu=gpu) for gpu in (False, True))
            assert forked.wait().value == server._process.pid
            assert (alone.wait().value == server._process.pid) is (name == "untouched")
    assert dataclasses.is_dataclass(alone.wait())


def test_a_list_that_can_not_be_made_is_not_an_empty_one(tmp_path):
    """Not known is neither green nor "nothing to judge"."""
    code, run = run_suite(
        tmp_path,
        "environment",
        *("-k", "libraries and (load or test_versions)"),
        children={"gnnbench.environment.cuda_libraries": "import os\nmodule.candidates = lambda: os.abort()"},
    )
    ended = {result.id.rpartition("/")[2]: result.outcome for result in run.results}

    assert code == ExitCode.CHECK_FAILED
    assert ended == {"load": Outcome.FAILED, "versions": Outcome.INCONCLUSIVE}
    assert "SIGABRT" in run.results[0].finding.found
