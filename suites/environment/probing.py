"""The probes of this suite: which there are, started together, and what becomes of one that ends badly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gnnbench.checks import Evidence, fail
from gnnbench.environment import ChildReport, Ending, ForkServer, driver
from gnnbench.environment.child.fork_server import Forked
from gnnbench.environment.endings import cause_of, manner_of

_PROBES = "gnnbench.environment.probes"
_MEBIBYTE = 2**20
#: Two DataLoader workers that each have two batches of 64 MiB on the way; Docker's default is 64 MB in all. With
#: several GPUs what NVIDIA's containers ask for NCCL (`--shm-size=1g`: NCCL's troubleshooting, "Shared Memory").
SHM_BYTES = (256 * _MEBIBYTE, 1024 * _MEBIBYTE)
PINNED_BYTES = 64 * _MEBIBYTE
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that is done in a process of its own."""

    target: str
    arguments: Callable[[], tuple[Any, ...]] = tuple
    """After the name of the device, where it has one."""
    timeout: float = 60.0
    """In seconds, from its fork; a GPU's first kernel alone may take some."""


#: Check → what it asks of a child. One with a `device` gets its name first.
PROBES: dict[str, Probe] = {
    "device/kernel": Probe(f"{_PROBES}.kernels:elementwise"),
    "device/matmul": Probe(f"{_PROBES}.kernels:matmul"),
    "device/convolution": Probe(f"{_PROBES}.kernels:convolution"),
    "device/sparse": Probe(f"{_PROBES}.kernels:sparse"),
    "device/solve": Probe(f"{_PROBES}.kernels:solve"),
    "device/fft": Probe(f"{_PROBES}.kernels:fft"),
    "device/nvrtc": Probe(f"{_PROBES}.kernels:nvrtc", timeout=120.0),
    # A compiler, Triton's or C++'s, starts cold.
    "device/compiled": Probe(f"{_PROBES}.kernels:compiled", timeout=300.0),
    "device/copies": Probe(f"{_PROBES}.copies:copies", timeout=120.0),
    "child/all_reduce": Probe("gnnbench.environment.collective:all_reduce"),
    "limits/shared_memory": Probe(f"{_PROBES}.host:shared_memory", lambda: (shm_bytes(),)),
    "limits/pinned_memory": Probe(f"{_PROBES}.host:pinned", lambda: (PINNED_BYTES,)),
    "limits/workers": Probe(f"{_PROBES}.host:workers", lambda: (WORKERS,), timeout=90.0),
    "limits/neighbor_loader": Probe(f"{_PROBES}.host:neighbors", lambda: (WORKERS,), timeout=90.0),
    "limits/threads": Probe(f"{_PROBES}.host:threads"),
}


def shm_bytes() -> int:
    """What /dev/shm must hold on this machine, in bytes."""
    return SHM_BYTES[len(driver().gpus) > 1]


class Probing:
    """The probes of one session, each run once."""

    def __init__(self, server: ForkServer) -> None:
        self.server = server
        self._started: dict[tuple[str, str], Forked] = {}

    def start(self, name: str, device: str = "") -> Forked:
        """Start the probe of check `name`, where it has not been."""
        key = name, device
        if key not in self._started:
            probe = PROBES[name]
            self._started[key] = self.server.start(
                probe.target,
                *((device,) if device else ()),
                *probe.arguments(),
                timeout=probe.timeout,
                # One process needs no network, and a container without one must not fail for it.
                environment={"GLOO_SOCKET_IFNAME": "lo"} if device == "cpu" else None,
                gpu=device.startswith("cuda"),
            )
        return self._started[key]

    def start_all(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Start what checks will wait for, so that it runs beside them."""
        for name, device in wanted:
            if name in PROBES:
                self.start(name, device)


def value_of(report: ChildReport, what: str, evidence: Evidence) -> dict[str, Any]:
    """What a probe answered, recorded; the check ends as failed where it did not end well.

    A crash, a hang, a signal, a wrong result and a result from elsewhere each have words of their own.
    """
    __tracebackhide__ = True
    manner = manner_of(report)
    evidence.fact("ended", manner)
    evidence.fact("seconds", round(report.seconds, 3))
    if not report.ok:
        fail(
            f"{what}: {manner}",
            expected="a right result, from where it was asked for",
            found=report.error if report.ending is Ending.RAISED else report.describe(),
            cause=cause_of(report),
        )
    value: dict[str, Any] = report.value
    for name, seen in value.items():
        evidence.fact(name, seen)
    return value


def ran_on(value: dict[str, Any], device: str, what: str) -> None:
    """Fail where the result is on another device, or no kernel ran on the GPU that was asked for."""
    __tracebackhide__ = True
    if value["device"] != device:
        fail(
            f"{what}: fell back to {value['device']}",
            expected=f"a result on {device}",
            found=f"a result on {value['device']}",
            cause="a library that quietly takes another path where its kernel for the GPU is missing",
        )
    if value.get("kernels") == 0:
        fail(
            f"{what}: no kernel ran on {device}",
            expected="at least one kernel, as the profiler counts them",
            found="a result, computed elsewhere",
            cause="a library that computes on the CPU and copies the result to the GPU",
        )
