"""Xids: what the driver reports of errors, in the kernel's log and as events to whoever listens.

NVML keeps no counter of them. The kernel's log may be read by few; the events come to everybody who has
registered for them before, so a child process listens from the start of a run to its end.

Sources: NVIDIA XID Errors (catalogue and analysis); which are of applications: NVIDIA k8s-device-plugin,
`internal/rm/health.go`; records of the log: Linux, Documentation/ABI/testing/dev-kmsg.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gnnbench.environment.child import Child, start
from gnnbench.environment.cuda import pci_address
from gnnbench.environment.health.opinion import Opinion
from gnnbench.environment.nvml import NvmlGpu, ask, session
from gnnbench.environment.nvml.reading import describe, text

#: Errors of programs, which leave the GPU sound; 45 also follows when a program is killed, as probes are.
OF_APPLICATIONS = frozenset({13, 31, 43, 45, 68, 109})
MEANINGS = {
    13: "an exception of the graphics engine",
    31: "a memory page fault",
    43: "a channel that was stopped",
    45: "a clean-up after a program ended",
    48: "an uncorrected memory error",
    62: "a halt of the micro-controller",
    63: "a memory row to be remapped, or a page to be retired",
    64: "a memory row that could not be remapped, or a page not retired",
    68: "an exception of the video engine",
    74: "an NVLink error",
    79: "it has fallen off the bus",
    92: "many corrected memory errors",
    94: "a contained uncorrected memory error",
    95: "an uncontained uncorrected memory error",
    109: "a context switch that took too long",
    119: "a timeout of the GPU system processor (GSP)",
    120: "an error of the GPU system processor (GSP)",
    140: "an uncorrected memory error that was not recovered from",
    154: "a change of the recovery that the driver asks for",
}
_FIX = (
    "look the number up in NVIDIA's XID catalogue, and at `dmesg | grep Xid` on the host; reset the GPU "
    "(`nvidia-smi --gpu-reset`) or reboot, then `dcgmi diag -r 3`"
)
_KMSG = Path("/dev/kmsg")
_RECORD_BYTES = 8192
#: The clock of the kernel's log drifts a little from that of processes.
_CLOCK_SLACK_S = 1.0
_WATCH_LIMIT_S = 7 * 24 * 3600.0
_WAIT_MS = 1000
_BEGIN_S, _ARRIVE_S = 20.0, 0.1
#: nvml.h, `nvmlEventTypeXidCriticalError`; and the code of a wait that saw nothing.
_XID_EVENT, _TIMED_OUT = 0x8, 10


@dataclass(frozen=True, slots=True)
class Xid:
    """One Xid of one GPU."""

    code: int
    address: tuple[int, int, int] | None = None
    """PCI domain, bus and device."""
    uuid: str = ""
    seconds: float | None = None
    """Since the machine was started, where the kernel's log tells."""

    def __str__(self) -> str:
        return f"Xid {self.code} ({MEANINGS.get(self.code, 'see the catalogue')})"

    def of(self, gpu: NvmlGpu) -> bool:
        """Whether it is this GPU's."""
        if self.uuid:
            return self.uuid == gpu.uuid
        return self.address is not None and self.address == pci_address(gpu.value("pci_bus_id"))


def parse_log(lines: Iterable[str]) -> list[Xid]:
    """The Xids in records of /dev/kmsg: `3,1234,5140900,-;NVRM: Xid (PCI:0000:3b:00): 79, pid=…`."""
    found = []
    for line in lines:
        match = re.match(r"\d+,\d+,(\d+),[^;]*;.*NVRM: Xid \(([^)]+)\): (\d+)", line)
        if match:
            found.append(Xid(int(match[3]), pci_address(match[2]), seconds=int(match[1]) / 1e6))
    return found


def kernel_log(path: Path = _KMSG) -> tuple[list[Xid], str]:
    """The Xids in the kernel's log, and why it can't be read where it can't."""
    records: list[str] = []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            while True:
                try:
                    record = os.read(descriptor, _RECORD_BYTES)
                except BrokenPipeError:
                    continue  # overwritten while it was read: the next is there
                except BlockingIOError:
                    break  # the newest has been read
                if not record:
                    break
                records.extend(record.decode("utf-8", "replace").splitlines())
        finally:
            os.close(descriptor)
    except OSError as error:
        return [], f"{path}: {error.strerror}"
    return parse_log(records), ""


def listen() -> None:
    """In a child, until it is killed: tell each Xid on standard output as it comes.

    Lines: `deaf INDEX: WHY` for a GPU that can't be listened to, `listening`, then `xid CODE UUID`.
    """
    with session() as pynvml:
        events = pynvml.nvmlEventSetCreate()
        for index in range(pynvml.nvmlDeviceGetCount()):
            registered = ask(lambda i=index: _register(pynvml, i, events))  # type: ignore[misc]
            if registered.loss is not None:
                print(f"deaf {index}: {registered.why}", flush=True)  # noqa: T201  (its way of answering)
        print("listening", flush=True)  # noqa: T201
        while True:
            try:
                event = pynvml.nvmlEventSetWait(events, _WAIT_MS)
            except pynvml.NVMLError as error:
                if error.value == _TIMED_OUT:
                    continue
                print(f"stopped: {describe(error)}", flush=True)  # noqa: T201
                return
            uuid = ask(lambda e=event: text(pynvml.nvmlDeviceGetUUID(e.device)))  # type: ignore[misc]
            print(f"xid {event.eventData} {uuid.value or ''}", flush=True)  # noqa: T201


def _register(pynvml: object, index: int, events: object) -> None:
    pynvml.nvmlDeviceRegisterEvents(pynvml.nvmlDeviceGetHandleByIndex(index), _XID_EVENT, events)  # type: ignore[attr-defined]


class Listener:
    """A child process that listens for Xids from now on, until `heard` is asked for."""

    def __init__(self) -> None:
        self._child: Child = start(f"{__name__}:listen", timeout=_WATCH_LIMIT_S)
        self._heard: tuple[list[Xid], str] | None = None

    def heard(self) -> tuple[list[Xid], str]:
        """The Xids since the start, and why there may be more where it could not listen well. Ends the child."""
        if self._heard is None:
            self._settle()
            self._child.close()
            report = self._child.wait()
            lines = report.stdout.splitlines()
            xids = [
                Xid(int(m[1]), uuid=m[2]) for line in lines if (m := re.fullmatch(r"xid (\d+) (\S*)", line))
            ]
            deaf = [line for line in lines if line.startswith(("deaf", "stopped"))]
            if "listening" not in lines:
                # Killed by us is how it is meant to end; anything else is why it never began.
                deaf = [
                    report.error
                    if report.error and not report.error.startswith("no end")
                    else "too little time"
                ]
            self._heard = xids, "; ".join(deaf)
        return self._heard

    def _settle(self) -> None:
        """Let it begin, in a run that was over at once, and let what has just happened arrive."""
        deadline = time.monotonic() + _BEGIN_S
        while time.monotonic() < deadline and self._child.running and "listening" not in self._child.said():
            time.sleep(0.01)
        time.sleep(_ARRIVE_S)

    def close(self) -> None:
        """Be rid of it."""
        self._child.close()


def judge_xids(
    gpu: NvmlGpu,
    label: str,
    *,
    since: float,
    log: tuple[Sequence[Xid], str],
    heard: tuple[Sequence[Xid], str],
) -> Opinion:
    """The GPU's Xids during the run, and those of before that may still matter.

    Args:
        gpu: whose.
        label: how messages call it.
        since: when the run began, in seconds since the machine was started.
        log: what `kernel_log` returned.
        heard: what a `Listener` has heard.
    """
    opinion = Opinion(label)
    in_log = [xid for xid in log[0] if xid.of(gpu)]
    now = [xid for xid in in_log if (xid.seconds or 0) >= since - _CLOCK_SLACK_S]
    now += [xid for xid in heard[0] if xid.of(gpu) and xid.code not in {one.code for one in now}]
    for xid in dict.fromkeys(now):
        if xid.code in OF_APPLICATIONS:
            opinion.remarks.append(f"{xid} during the run, which programs cause")
        else:
            opinion.trouble(f"the driver reported {xid} during the run", expected="no Xid", fix=_FIX)
    earlier = {str(xid): xid for xid in in_log if (xid.seconds or 0) < since - _CLOCK_SLACK_S}
    for told, xid in earlier.items():
        if xid.code in OF_APPLICATIONS:
            opinion.remarks.append(f"{told} before the run, which programs cause")
        else:
            opinion.unread.append(f"{told} before the run: whether it was repaired since is not told")
    if log[1] and heard[1]:
        opinion.unread.append(
            f"Xids: the kernel's log can't be read ({log[1]}), nor events be heard ({heard[1]})"
        )
    return opinion
