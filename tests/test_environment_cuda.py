"""gnnbench.environment.cuda and absence: drivers that are faked, for none can be had."""

import shutil
import subprocess

import pytest

from gnnbench.environment import (
    CudaGpu,
    DriverReport,
    Reason,
    ask_driver,
    diagnose,
    join,
)

FAKE_DRIVER = """
#include <string.h>
int cuInit(unsigned f) { CRASH return CODE; }
int cuDriverGetVersion(int *v) { *v = 12040; return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return 0; }
int cuDeviceGetUuid_v2(unsigned char *u, int d) { memset(u, 0xab, 16); return 0; }
int cuDeviceGetName(char *n, int l, int d) { strncpy(n, "Fake GPU", l); return 0; }
int cuDeviceTotalMem_v2(unsigned long *b, int d) { *b = 1ul << 34; return 0; }
int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? 9 : 0; return 0; }
"""


@pytest.fixture
def driver_library(tmp_path):
    """Builds a libcuda that answers as it is told."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc to build the fake driver with")

    def build(code=0, crash=""):
        source, library = tmp_path / "fake.c", tmp_path / "libfakedriver.so"
        source.write_text(FAKE_DRIVER.replace("CODE", str(code)).replace("CRASH", crash))
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
        return str(library)

    return build


def test_driver_that_works(driver_library):
    """The GPUs of a driver that answers are listed with UUID, memory and capability."""
    report = ask_driver(driver_library())

    assert (report.code, report.version) == (0, "12.4")
    assert report.gpus[0].uuid == "GPU-" + "-".join("ab" * n for n in (4, 2, 2, 2, 6))
    assert (report.gpus[0].name, report.gpus[0].capability) == ("Fake GPU", "9.0")
    assert report.gpus[0].memory_bytes == 2**34


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        (804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"),
        (100, "CUDA_ERROR_NO_DEVICE"),
    ],
)
def test_driver_that_refuses(driver_library, code, name):
    """F29: what cuInit answers is named, and explained."""
    report = ask_driver(driver_library(code))

    assert (report.code, report.code_name) == (code, name)
    assert report.explanation
    assert report.gpus == ()


def test_driver_that_crashes(driver_library):
    """A driver that takes its process down is told as that, and takes only the child."""
    report = ask_driver(driver_library(crash="*(volatile int*)0 = 1;"))

    assert "SIGSEGV" in report.died
    assert report.code is None


def test_no_driver():
    """A machine without the library says what the loader said."""
    report = ask_driver("libcuda-of-nowhere.so.1")

    assert report.library is None
    assert "libcuda-of-nowhere" in report.load_error


def gpu(ordinal, uuid):
    return CudaGpu(ordinal=ordinal, uuid=uuid, name="G", memory_bytes=1, capability="9.0")


def test_join_on_uuid():
    """F36: CUDA's order is not NVML's, and a MIG device has its own prefix."""
    ours = [gpu(0, "GPU-bb"), gpu(1, "GPU-aa"), gpu(2, "GPU-cc"), gpu(3, "GPU-dd")]

    assert join(ours, ["GPU-AA", "GPU-bb", "MIG-cc"]) == {0: 1, 1: 0, 2: 2, 3: None}
    # As drivers before 470 name a MIG device: by its GPU, and the instance on it.
    assert join(ours, ["MIG-GPU-dd/7/0", "GPU-b-b"]) == {0: 1, 1: None, 2: None, 3: 0}


OK = DriverReport(library="/lib/libcuda.so.1", code=0, version="12.4", gpus=(gpu(0, "GPU-aa"),))
NONE = DriverReport(load_error="libcuda.so.1: cannot open shared object file")


@pytest.mark.parametrize(
    ("build", "report", "nodes", "visible", "reason", "faulty"),
    [
        (None, NONE, (), None, Reason.CPU_BUILD, False),
        (None, OK, ("/dev/nvidia0",), None, Reason.CPU_BUILD, True),  # F33
        ("12.4", NONE, (), None, Reason.NO_HARDWARE, False),
        ("12.4", NONE, ("/dev/nvidia0",), None, Reason.NO_DRIVER, True),
        ("12.4", DriverReport(library="x", code=100), (), "", Reason.HIDDEN, False),
        ("12.4", DriverReport(library="x", code=804), ("/dev/nvidia0",), None, Reason.DRIVER_ERROR, True),
        ("12.4", DriverReport(library="x", code=100), (), None, Reason.NO_DEVICE_FILE, False),
    ],
)
def test_why_there_is_no_gpu(build, report, nodes, visible, reason, faulty):
    """The reasons look alike from inside; each is told apart, and is a fault only where a GPU is offered."""
    absence = diagnose(build=build, report=report, nodes=nodes, visible=visible)

    assert absence.reason is reason
    assert absence.faulty is faulty
    assert absence.fix
