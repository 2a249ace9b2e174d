"""GPUs that are not there: a driver's libraries, built on the spot, that answer as a scenario says.

nvidia-ml-py and gnnbench's own driver probe load them as they load the real ones; nothing of Python is replaced.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from gnnbench.faults.native import shared_library

_SOURCES = Path(__file__).parent / "fakes"
#: Name of the library → the file that it is made from.
_LIBRARIES = {"libnvidia-ml.so.1": "nvml.c", "libcuda.so.1": "cuda.c"}
#: Read by the libraries: the file that says what they answer.
VARIABLE = "GNNBENCH_FAKE_GPUS"

#: A sound H100 of eight in one machine, as far as gnnbench asks. `fakes/scenario.c` says what more can stand there.
SOUND: Mapping[str, object] = {
    "name": "NVIDIA H100 80GB HBM3",
    "vbios": "96.00.74.00.01",
    "major": 9,
    "minor": 0,
    "memory": 85520809984,
    "reserved": 512 << 20,
    "used": 4 << 20,
    "pstate": 0,
    "persistence": 1,
    "compute_mode": 0,
    "mig": 0,
    "mig_pending": 0,
    "mig_slots": 7,
    "ecc": 1,
    "ecc_pending": 1,
    "ecc.uncorrected.volatile": 0,
    "ecc.uncorrected.aggregate": 0,
    "ecc.corrected.volatile": 0,
    "ecc.corrected.aggregate": 0,
    "sram_exceeded": 0,
    "rows.corrected": 0,
    "rows.uncorrected": 0,
    "rows.pending": 0,
    "rows.failed": 0,
    "banks.max": 2560,
    "banks.high": 0,
    "banks.partial": 0,
    "banks.low": 0,
    "banks.none": 0,
    "temperature": 36,
    "threshold.0": 92,
    "threshold.1": 89,
    "threshold.3": 87,
    "power": 71000,
    "power_limit": 700000,
    "power_default": 700000,
    "power_min": 200000,
    "power_max": 700000,
    "clock.1": 345,
    "clock.2": 2619,
    "clock_max.1": 1980,
    "clock_max.2": 2619,
    "clock_set.1": 1980,
    "clock_set.2": 2619,
    "clock_default.1": 1980,
    "clock_default.2": 2619,
    "throttle": 1,
    "violation.0": 0,
    "violation.1": 0,
    "violation.3": 0,
    "violation.5": 0,
    "pcie.width": 16,
    "pcie.width_max": 16,
    "pcie.generation": 5,
    "pcie.generation_max": 5,
    "pcie.replays": 0,
    "fabric.state": 3,
    "compute.count": 0,
    "graphics.count": 0,
    "cpus": "0xffff",
    **{f"link.{n}": 1 for n in range(18)},
    **{f"link_type.{n}": 2 for n in range(18)},
    **{f"link_errors.{n}.{counter}": 0 for n in range(18) for counter in range(4)},
}


def uuid_of(number: int) -> str:
    """The UUID of fake GPU `number`."""
    return f"GPU-{number:08x}-1111-2222-3333-444444444444"


def sound(gpus: int = 2) -> dict[str, object]:
    """A scenario of `gpus` sound GPUs, which CUDA numbers as NVML does."""
    scenario: dict[str, object] = {
        "count": gpus,
        "cuda_count": gpus,
        "driver": "550.54.15",
        "nvml": "12.550.54.15",
        "cuda": 12040,
    }
    for number in range(gpus):
        own = {**SOUND, "uuid": uuid_of(number), "pci": f"00000000:{0x18 + number:02X}:00.0"}
        own.update({f"topology.{other}": 50 for other in range(gpus) if other != number})
        scenario.update({f"gpu{number}.{key}": value for key, value in own.items()})
        for key in ("name", "memory", "major", "minor", "uuid"):
            scenario[f"cuda{number}.{key}"] = own[key]
        scenario[f"cuda{number}.pci"] = f"0000:{0x18 + number:02x}:00.0"
        scenario.update({f"cuda{number}.peer.{other}": 1 for other in range(gpus) if other != number})
    return scenario


class Later:
    """A pytest plugin: when the checks that look a second time begin, the GPUs answer otherwise than before."""

    def __init__(self, gpus: FakeGpus, scenario: Mapping[str, object]) -> None:
        self._gpus, self._scenario = gpus, scenario

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Before the fixture that looks is asked for."""
        if "gpus_at_end" in getattr(item, "fixturenames", ()):
            self._gpus.say(self._scenario)


class FakeGpus:
    """A folder with the libraries of a driver, and the scenario that they answer from.

    Args:
        folder: where they are built, unless they have been already.

    Raises:
        NoCompilerError: where there is no C compiler.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.scenario = self.folder / "scenario"
        common = (_SOURCES / "scenario.c").read_text()
        for name, source in _LIBRARIES.items():
            if not (self.folder / name).exists():
                shared_library(common + (_SOURCES / source).read_text(), self.folder / name, soname=name)

    def say(self, scenario: Mapping[str, object]) -> None:
        """From now on they answer so; a value of None is a key that is not there."""
        lines = [f"{key}={value}\n" for key, value in scenario.items() if value is not None]
        # In one step: a process may be reading it.
        written = self.scenario.with_suffix(".new")
        written.write_text("".join(lines), encoding="utf-8")
        written.replace(self.scenario)

    def environment(self) -> dict[str, str]:
        """The variables with which a new process finds them."""
        paths = [str(self.folder), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        return {"LD_LIBRARY_PATH": os.pathsep.join(paths), VARIABLE: str(self.scenario)}

    def install(self) -> None:
        """For this process, and for all that it starts from now on."""
        os.environ.update(self.environment())
        for name in _LIBRARIES:
            # The loader has read LD_LIBRARY_PATH long ago. A library that is loaded answers to its soname.
            ctypes.CDLL(str(self.folder / name), mode=ctypes.RTLD_GLOBAL)


def installed(scenario: Mapping[str, object]) -> FakeGpus:
    """Fake GPUs in a temporary folder, for this process and all that it starts.

    Raises:
        NoCompilerError: where there is no C compiler.
    """
    gpus = FakeGpus(Path(tempfile.mkdtemp(prefix="gnnbench-gpus-")))
    gpus.say(scenario)
    gpus.install()
    return gpus
