"""What changed between two snapshots of one GPU: counters that must stand still, settings that must stay.

Sources of the limits: DCGM's `dcgm_gpu_hardware_limits.h` (8 PCIe replays a minute is the most that the resource
manager recommends; one NVLink error; CRC errors of NVLink matter at 100 a second).
"""

from __future__ import annotations

from collections.abc import Mapping

from gnnbench.environment.health.opinion import Opinion
from gnnbench.environment.nvml import Loss, NvmlGpu, Snapshot

REPLAYS_PER_MINUTE = 8
CRC_PER_SECOND = 100

_MEMORY = {
    "ecc_uncorrected_volatile": "uncorrected memory errors",
    "ecc_corrected_volatile": "corrected memory errors",
}
#: Read as one value, and compared as such.
_SETTINGS = {
    "power_limit": "power limit (W)",
    "clock_sm_set": "SM clock setting (MHz)",
    "clock_memory_set": "memory clock setting (MHz)",
    "compute_mode": "compute mode",
    "persistence_mode": "persistence mode",
    "ecc_mode": "ECC mode (now, after reset)",
    "mig_mode": "MIG mode (now, after reset)",
    "pcie_width": "PCIe lanes",
    "retired_pages_single": "retired pages, corrected errors",
    "retired_pages_double": "retired pages, uncorrected errors",
    "remapped_rows": "remapped rows",
    "fabric": "NVSwitch fabric",
}
_LOOK = (
    "`nvidia-smi -q` and `dmesg | grep Xid` on the host; take the machine out of use until it is known why"
)


def lost(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """GPU → why, for those that answered `before` and no longer do.

    Containers lose theirs to a `systemctl daemon-reload` on the host, machines to a GPU that falls off its bus.
    """
    return {gpu.label(): why for gpu in before.gpus if not gpu.lost and (why := gone(gpu, after))}


def gone(gpu: NvmlGpu, snapshot: Snapshot) -> str:
    """Why a GPU that once answered does not in `snapshot`; empty where it does."""
    if snapshot.problem is not None:
        return snapshot.problem.said
    now = counterpart(gpu, snapshot)
    if now is not None:
        return now.lost
    # One that gives no handle can't be told apart from others that give none: it is likely to be this one.
    return next((one.lost for one in snapshot.gpus if one.lost), "no longer listed")


def counterpart(gpu: NvmlGpu, snapshot: Snapshot) -> NvmlGpu | None:
    """The same GPU in another snapshot: by its UUID, else by its PCI address."""
    same = snapshot.gpu(gpu.uuid)
    if same is not None:
        return same
    address = gpu.value("pci_bus_id")
    unnamed = (one for one in snapshot.gpus if address and not (gpu.uuid and one.uuid))
    return next((one for one in unnamed if one.value("pci_bus_id") == address), None)


def grown(before: NvmlGpu, after: NvmlGpu, label: str, *, seconds: float) -> Opinion:
    """Error counters that have grown in the `seconds` between the two, and those that can't be read any more."""
    opinion = Opinion(label)
    for name, words in _MEMORY.items():
        more = _more(opinion, before, after, name)
        if more > 0:
            opinion.trouble(
                f"{more} {words} during the run",
                expected="none",
                cause="memory that fails" if "uncorrected" in name else "memory cells that begin to fail",
                fix=_LOOK,
            )
    replays = _more(opinion, before, after, "pcie_replays")
    # Over less than a minute too, as many as a minute may have are no reason to worry.
    if replays > REPLAYS_PER_MINUTE * max(1.0, seconds / 60):
        opinion.trouble(
            f"{replays} PCIe packets had to be sent again in {seconds:.0f} s",
            expected=f"at most {REPLAYS_PER_MINUTE} a minute",
            cause="a PCIe link with errors: a card that sits badly, a bad riser or cable",
            fix="reseat the GPU and its riser; `lspci -vv` shows the errors of each link",
        )
    elif replays > 0:
        opinion.remarks.append(f"{replays} PCIe packets were sent again")
    _grown_links(opinion, before, after, seconds)
    return opinion


def _grown_links(opinion: Opinion, before: NvmlGpu, after: NvmlGpu, seconds: float) -> None:
    past = {link.number: link for link in before.links}
    for link in after.links:
        was = past.get(link.number)
        if was is None or not (was.active and link.active):
            continue
        for name, reading in link.errors.items():
            first = was.errors[name].value if name in was.errors else None
            if first is None or reading.value is None:
                continue
            more = reading.value - first
            allowed = CRC_PER_SECOND * max(1.0, seconds) if name.startswith("crc") else 0
            if more > allowed:
                opinion.trouble(
                    f"NVLink {link.number} counted {more} {name.replace('_', ' ')} during the run",
                    expected=f"at most {CRC_PER_SECOND} CRC errors a second, and nothing sent again",
                    cause="a link with errors: a bridge or a cable that sits badly, a failing switch",
                    fix="`nvidia-smi nvlink -e` and `dmesg | grep Xid` (74: NVLink) on the host",
                )
            elif more > 0:
                opinion.remarks.append(f"NVLink {link.number} counted {more} {name.replace('_', ' ')}")


def _more(opinion: Opinion, before: NvmlGpu, after: NvmlGpu, name: str) -> int:
    """By how much a counter has grown; 0 where it can't be told, having noted why."""
    first, last = before[name], after[name]
    if first.loss is not None:
        # What a GPU never counted is judged, or found lacking, by the check that reads it at the start.
        if first.loss not in (Loss.UNSUPPORTED, Loss.ABSENT):
            opinion.unread.append(f"{name} at the start: {first.why}")
        return 0
    if last.loss is not None:
        opinion.unread.append(f"{name} at the end: {last.why}")
        return 0
    if last.value < first.value:
        opinion.trouble(
            f"{name} fell from {first.value} to {last.value}",
            expected="counters that only grow",
            cause="a GPU that was reset, or a driver that was loaded again, during the run",
            fix=_LOOK,
        )
    return int(last.value - first.value)


def changed(before: NvmlGpu, after: NvmlGpu, label: str) -> Opinion:
    """Settings and states that are not what they were, and questions that are no longer answered."""
    opinion = Opinion(label)
    for name, words in _SETTINGS.items():
        first, last = before[name], after[name]
        if first.loss is None and last.loss is None and first.value != last.value:
            opinion.trouble(
                f"{words} changed from {_plain(first.value)} to {_plain(last.value)}",
                expected="the settings of the start",
                cause="somebody, or a fault, changed the GPU during the run",
                fix=_LOOK,
            )
        elif first.loss is None and last.loss is not None:
            opinion.unread.append(f"{name} at the end: {last.why}")
    up = [[link.number for link in gpu.links if link.active] for gpu in (before, after)]
    if before.links and after.links and up[0] != up[1]:
        opinion.trouble(
            f"{len(up[1])} NVLinks are up, {len(up[0])} were",
            expected="the links of the start",
            fix="`nvidia-smi nvlink -s` and `dmesg | grep Xid` (74: NVLink) on the host",
        )
    return opinion


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
