"""What the GPUs say of their own health: before the run, and at its end what it has done to them.

A GPU is judged by its own account, with limits that are its own or NVIDIA's. What it does not tell can't be judged;
what it does not have is not asked for. Whether torch can use it plays no part: a sick GPU is one that torch may miss.
"""

from __future__ import annotations

import os
import time

import torch

from gnnbench.checks import Evidence, check, fail, inconclusive
from gnnbench.environment import driver, health, nvml
from gnnbench.environment.cuda import device_nodes
from gnnbench.environment.health import Listener, Opinion
from gnnbench.environment.load import copying

from .gpus import conclude, gpus_at_start, in_use


@check(catches=("F35", "F37"), fix="compare `nvidia-smi` inside and outside the container")
def test_answers(evidence: Evidence) -> None:
    """NVML answers, and reaches every GPU that it counts and every GPU that CUDA uses."""
    found = nvml.first()
    for name, reading in found.versions.items():
        evidence.fact(name, reading.value)
    evidence.fact("gpus", len(found.gpus))
    evidence.fact(
        "unread",
        {
            gpu.label(): {
                name: reading.why
                for name, reading in gpu.readings.items()
                if reading.loss not in (None, nvml.Loss.UNSUPPORTED)
            }
            for gpu in found.gpus
        },
    )
    seen = driver().gpus or device_nodes()
    if found.problem is not None and found.problem.faulty and seen:
        fail(
            f"NVML does not answer: {found.problem.said}",
            expected="the list of GPUs",
            found=found.problem.said,
            cause=found.problem.cause,
            fix=found.problem.fix,
        )
    if found.problem is None and not found.gpus and driver().gpus:
        fail(
            f"NVML counts no GPU, and CUDA uses {len(driver().gpus)}",
            expected="each GPU in both",
            found="an empty list",
            cause="a container whose device files and libraries come from different drivers",
        )
    lost = {gpu.label(): gpu.lost for gpu in gpus_at_start().gpus if gpu.lost}
    if lost:
        name, why = next(iter(lost.items()))
        fail(
            f"{name} does not answer: {why}",
            expected="an answer of every GPU that is counted",
            found="; ".join(f"{gpu}: {reason}" for gpu, reason in lost.items()),
            cause="a GPU that fell off the bus, lacks power, must be reset, or was taken from the container",
            fix="`dmesg | grep -e NVRM -e Xid` on the host; reset it (`nvidia-smi --gpu-reset`), or reboot",
        )


@check(
    catches=("F36",),
    fix="reset the GPU (`nvidia-smi -r`), run `dcgmi diag -r 3`, and replace the card where errors come back",
)
def test_memory_errors(evidence: Evidence) -> None:
    """No GPU has had memory errors that could not be corrected."""
    known, unknown = in_use(gpus_at_start())
    judged = [health.memory_errors(gpu, label) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:ecc")


@check(fix="reset the GPU or reboot, so that rows are remapped; replace the card where remapping failed")
def test_remapped_rows(evidence: Evidence) -> None:
    """No memory row waits to be remapped or could not be, and no page waits to be retired."""
    known, unknown = in_use(gpus_at_start())
    judged = [health.remapped_rows(gpu, label) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:row_remapping")


@check(catches=("F39",), fix="look at fans, airflow and the room, and at what else runs there")
def test_temperature(evidence: Evidence) -> None:
    """No GPU is as hot as the temperature at which it slows down."""
    known, unknown = in_use(gpus_at_start())
    judged = [health.temperature(gpu, label) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:temperature")


@check(catches=("F39",), fix="set the default again: `nvidia-smi -pl WATTS` as root on the host")
def test_power(evidence: Evidence) -> None:
    """No GPU's power limit is below its default."""
    known, unknown = in_use(gpus_at_start())
    judged = [health.power(gpu, label) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:power_limit")


@check(
    catches=("F39",),
    fix="set the defaults again: `nvidia-smi -rac` and `nvidia-smi -rgc` as root on the host",
)
def test_clocks(evidence: Evidence) -> None:
    """No GPU's clocks are set below their default."""
    known, unknown = in_use(gpus_at_start())
    judged = [health.clocks(gpu, label) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:application_clocks")


@check(
    catches=("F39",), fix="seat the card again, try another slot or riser, and read `lspci -vv` on the host"
)
def test_pcie(evidence: Evidence) -> None:
    """Every GPU uses all lanes of its PCIe link and, under load, its newest generation."""
    snapshot, loaded = gpus_at_start(), False
    if torch.cuda.device_count():
        with copying([f"cuda:{index}" for index in range(torch.cuda.device_count())]) as loaded:
            under_load = nvml.take() if loaded else snapshot
        # The link alone is read again; should NVML fail now, what it said first stands.
        snapshot, loaded = (under_load, loaded) if under_load.gpus else (snapshot, False)
    evidence.fact("under_load", loaded)
    known, unknown = in_use(snapshot)
    judged = [health.pcie(gpu, label, loaded=loaded) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:pcie")


@check(fix="`nvidia-smi nvlink -s` and `-e` on the host; seat the bridge again, or have the board looked at")
def test_nvlink(evidence: Evidence) -> None:
    """Every NVLink is up that is up on GPUs of the same model, or that leads to a switch."""
    snapshot = gpus_at_start()
    known, unknown = in_use(snapshot)
    judged = [health.nvlink(gpu, label, peers=snapshot.gpus) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:nvlink")


@check(
    catches=("F29",),
    fix="start the Fabric Manager of the driver's own release: `systemctl status nvidia-fabricmanager` on the host",
)
def test_fabric(evidence: Evidence) -> None:
    """Where GPUs hang on NVSwitches, each has been made part of their fabric."""
    known, unknown = in_use(gpus_at_start())
    judged = [health.fabric(gpu, label) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:nvswitch")


@check(fix="`nvidia-smi -c 0` as root on the host lets several processes use the GPU")
def test_modes(evidence: Evidence) -> None:
    """Every GPU lets several processes compute on it."""
    known, unknown = in_use(gpus_at_start())
    judged = [health.modes(gpu, label) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:compute_mode")


@check(fix="wait for the others, or choose another GPU with CUDA_VISIBLE_DEVICES")
def test_others(evidence: Evidence) -> None:
    """Nobody else computes on the GPUs."""
    known, unknown = in_use(gpus_at_start())
    own = {os.getpid(), *health.own_processes()}
    judged = [health.others(gpu, label, own=own) for label, gpu in known.items()]
    conclude(evidence, [*judged, *unknown], needs="gpu:processes")


@check(
    catches=("F39",),
    fix="`nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER` on the host; look at cooling and at power supply and cables",
)
def test_throttling(gpus_at_end: nvml.Snapshot, evidence: Evidence) -> None:
    """Neither heat nor the power supply held clocks down, at the start, at the end or between."""
    known, unknown = in_use(gpus_at_start())
    judged = [
        health.throttling(gpu, health.counterpart(gpu, gpus_at_end) or nvml.NvmlGpu(index=gpu.index), label)
        for label, gpu in known.items()
    ]
    conclude(evidence, [*judged, *unknown], needs="gpu:throttling")


@check(
    fix="look the Xid up in NVIDIA's list, read `dmesg | grep Xid` on the host, and take the machine out of use until it is known why"
)
def test_xids(xid_listener: Listener | None, evidence: Evidence) -> None:
    """The driver has reported no error (Xid) of a GPU, but for those that programs cause."""
    snapshot = gpus_at_start()
    log, heard = (
        health.kernel_log(),
        ([], "nobody listened") if xid_listener is None else xid_listener.heard(),
    )
    evidence.fact("kernel_log", log[1] or f"{len(log[0])} Xids")
    evidence.fact("events", heard[1] or f"{len(heard[0])} Xids")
    known, unknown = in_use(snapshot)
    judged = [
        health.judge_xids(gpu, label, since=snapshot.taken_s, log=log, heard=heard)
        for label, gpu in known.items()
    ]
    conclude(evidence, [*judged, *unknown], needs="gpu:xids")


@check(
    fix="`nvidia-smi -q` and `dmesg | grep Xid` on the host; take the machine out of use until it is known why"
)
def test_unchanged(gpus_at_end: nvml.Snapshot, evidence: Evidence) -> None:
    """No error counter of a GPU has grown during the run, and no setting has changed."""
    before = gpus_at_start()
    if not gpus_at_end.gpus:
        inconclusive(
            "NVML did not answer at the end",
            expected="the counters of the start",
            found=gpus_at_end.problem.said if gpus_at_end.problem else "no GPU",
        )
    seconds = max(0.0, (gpus_at_end.taken_s or time.monotonic()) - before.taken_s)
    evidence.fact("seconds", round(seconds, 1))
    known, unknown = in_use(before)
    judged = []
    for label, gpu in known.items():
        after, why = health.counterpart(gpu, gpus_at_end), health.gone(gpu, gpus_at_end)
        if after is None or why:
            judged.append(Opinion(label, unread=[f"at the end: {why}"]))
            continue
        judged += [
            health.grown(gpu, after, label, seconds=seconds),
            health.changed(gpu, after, label),
        ]
    conclude(evidence, [*judged, *unknown], needs="gpu:counters")


@check(
    catches=("F35",),
    fix="`dmesg | grep Xid` on the host; with cgroup v2 upgrade nvidia-container-toolkit, or use CDI",
)
def test_still_there(gpus_at_end: nvml.Snapshot, evidence: Evidence) -> None:
    """After all other checks, every GPU that was there at the start still answers."""
    before = gpus_at_start()
    if all(gpu.lost for gpu in before.gpus):
        inconclusive("no GPU answered at the start", expected="one to look for at the end", found="none")
    lost = health.lost(before, gpus_at_end)
    evidence.fact("lost", lost)
    if lost:
        fail(
            f"{len(lost)} of {len(before.gpus)} GPUs were lost during the run",
            expected="every GPU to answer as at the start",
            found="; ".join(f"{gpu}: {why}" for gpu, why in lost.items()),
            cause="a GPU that fell off its bus, or a `systemctl daemon-reload` that took the container's devices",
        )
