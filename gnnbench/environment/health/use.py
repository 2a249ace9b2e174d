"""How a GPU may be used, and who uses it already."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gnnbench.environment.health.opinion import Opinion
from gnnbench.environment.nvml import NvmlGpu

#: nvml.h, `nvmlComputeMode_t`. 1 was withdrawn; a driver that still says it means one process.
_COMPUTE_MODES = {1: "EXCLUSIVE_THREAD", 2: "PROHIBITED", 3: "EXCLUSIVE_PROCESS"}
#: A CUDA context takes at least about this much of a GPU's memory; what the driver keeps for itself is not counted.
_CONTEXT_BYTES = 100 << 20


def modes(gpu: NvmlGpu, label: str) -> Opinion:
    """The compute mode, which may keep processes out; persistence and pending modes are remarks."""
    opinion = Opinion(label)
    mode = opinion.need(gpu, "compute_mode")
    if mode:
        only = "no process may compute on it" if mode == 2 else "only one process may use it at a time"
        opinion.trouble(
            f"its compute mode is {_COMPUTE_MODES[mode]}: {only}",
            expected="DEFAULT: probes in child processes, and workers, share it",
            fix=f"`nvidia-smi -i {gpu.uuid or gpu.index} -c DEFAULT` on the host",
        )
    if gpu.value("persistence_mode") == 0:
        opinion.remarks.append(
            "persistence mode is off: the first program on an idle GPU waits seconds for the driver "
            "(`nvidia-smi -pm 1`, or nvidia-persistenced)"
        )
    for name, words in (("ecc_mode", "ECC"), ("mig_mode", "MIG")):
        now, pending = gpu.value(name) or (0, 0)
        if now != pending:
            opinion.remarks.append(f"{words} will be {'on' if pending else 'off'} after the next reset")
    if gpu.mig:
        opinion.remarks.append(f"it is cut into {len(gpu.mig_uuids)} MIG devices")
    return opinion


def others(gpu: NvmlGpu, label: str, *, own: Collection[int], proc: Path = Path("/proc")) -> Opinion:
    """Processes of others that compute on the GPU: they take memory and time from what is measured.

    Args:
        gpu: read before this run used it.
        label: how messages call it.
        own: process numbers of this run.
        proc: where the kernel tells of processes.
    """
    opinion = Opinion(label)
    found = opinion.need(gpu, "compute_processes")
    if found is None:
        return opinion
    strangers = [one for one in found if one["pid"] not in own]
    if strangers and gpu.mig:
        opinion.unread.append(
            f"compute_processes: {len(strangers)} processes compute on its MIG devices, and not on which is told"
        )
    elif strangers:
        opinion.trouble(
            f"{len(strangers)} other process{'es' * (len(strangers) > 1)} compute{'s' * (len(strangers) == 1)} on it: "
            + ", ".join(_told(one["pid"], one["memory"], proc) for one in strangers),
            expected="nobody else on the GPU",
            cause="a job that still runs, or a process that was left behind",
            fix="wait for it or end it (`nvidia-smi`, on the host too: a container does not see all), or choose "
            "another GPU with CUDA_VISIBLE_DEVICES",
        )
    memory = gpu.value("memory")
    if not found and memory and not memory["with_reserved"] and memory["used"] > _CONTEXT_BYTES:
        visible = gpu.value("graphics_processes")
        if not visible:
            opinion.unread.append(
                f"compute_processes: {memory['used'] / 2**20:.0f} MiB of its memory are in use, and none of the "
                "processes that use it can be seen from here (a container sees its own alone)"
            )
    if gpu.value("graphics_processes"):
        opinion.remarks.append(f"{len(gpu.value('graphics_processes'))} processes draw on it")
    return opinion


def _told(pid: int, memory: int | None, proc: Path) -> str:
    try:
        name = (proc / str(pid) / "comm").read_text().strip()
    except OSError:
        name = "not visible from here"
    held = "" if memory is None else f", {memory / 2**20:.0f} MiB"
    return f"{pid} ({name}{held})"


def own_processes() -> set[int]:
    """This process, those that it has started, and those of the run that it is a worker of."""
    import os

    import psutil

    me = psutil.Process()
    # Workers of pytest-xdist are siblings: their parent is the run's controller.
    root = me.parent() if "PYTEST_XDIST_WORKER" in os.environ else me
    try:
        return {me.pid, *((root or me).pid,), *(one.pid for one in (root or me).children(recursive=True))}
    except psutil.Error:
        return {me.pid}
