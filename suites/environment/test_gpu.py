"""The GPUs: that they are seen, by everybody alike, and that torch was built for them."""

from __future__ import annotations

import torch

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.environment import Support, compat, driver, gpu_absence, nvml


def _require_gpu() -> None:
    absence = gpu_absence()
    if absence is None:
        return
    if absence.faulty:
        fail(
            "there is a GPU and torch can't use it",
            expected="at least one GPU",
            found=absence.summary,
            cause=absence.reason.value,
            fix=absence.fix,
        )
    not_applicable(absence.summary, needs="cuda", fix=absence.fix)


@check(
    catches=("F29", "F33", "F37"),
    fix="use a torch that is built for CUDA, start the container with `--gpus all`, and compare `nvidia-smi` inside and outside",
)
def test_present(requirements: frozenset[str], evidence: Evidence) -> None:
    """torch sees a GPU, and as many as were required."""
    _require_gpu()
    count = torch.cuda.device_count()
    evidence.fact("count", count)
    for requirement in sorted(requirements):
        kind, _, wanted = requirement.partition(":")
        if kind == "cuda" and int(wanted or 1) > count:
            not_applicable(
                f"{count} GPUs are visible, {wanted} were required",
                needs=requirement,
                fix="look at CUDA_VISIBLE_DEVICES, `--gpus`, and `nvidia-smi -L` on the host",
            )


@check(catches=("F29",), fix="upgrade the host's driver, or use an image for an older CUDA")
def test_driver(evidence: Evidence) -> None:
    """The driver answers, and is new enough for the CUDA that torch was built for."""
    _require_gpu()
    report = driver()
    evidence.fact("driver_cuda", report.version)
    evidence.fact("built_for", torch.version.cuda)
    if report.code != 0:
        fail("the driver does not start", found=f"{report.code} ({report.code_name})", fix=report.explanation)
    built, answered = torch.version.cuda or "0.0", report.version or "0.0"
    # Within one major version a newer runtime runs on an older driver (minor version compatibility).
    if int(built.partition(".")[0]) > int(answered.partition(".")[0]):
        fail(
            "the driver is older than the CUDA of this image",
            expected=f"a driver for CUDA {built.partition('.')[0]} or newer",
            found=f"one for CUDA {answered}",
            fix="upgrade the host's driver, use an image for an older CUDA, or add the compat package",
        )


@check(catches=("F28",), fix="use a torch that is built for this GPU")
def test_architecture(evidence: Evidence) -> None:
    """torch holds machine code, or at least PTX, for every GPU."""
    _require_gpu()
    built = torch.cuda.get_arch_list()
    evidence.fact("arch_list", built)
    for index in range(torch.cuda.device_count()):
        capability = torch.cuda.get_device_capability(index)
        support = compat([entry for entry in built if entry.startswith(("sm_", "compute_"))], capability)
        evidence.fact(
            f"cuda:{index}", f"{capability[0]}.{capability[1]} {support.support.value} {support.via}"
        )
        if support.support is Support.NONE:
            fail(
                f"torch has no code for cuda:{index}",
                expected=f"sm_{capability[0]}{capability[1]} or PTX for it",
                found=", ".join(built),
                cause="a wheel that leaves this architecture out: no kernel image is available",
            )


@check(catches=("F35", "F36", "F37"), fix="compare `nvidia-smi -L` inside and outside the container")
def test_identity(evidence: Evidence) -> None:
    """CUDA and NVML agree on which GPUs there are, joined on UUID, whatever their order."""
    ours = driver().gpus
    if not ours:
        _require_gpu()
    seen = nvml.first()
    if seen.problem is not None:
        fail(
            "NVML does not answer",
            expected="the list of GPUs",
            found=seen.problem.said,
            cause=seen.problem.cause,
            fix=seen.problem.fix,
        )
    partners = seen.of(ours)
    evidence.fact("order", {str(n): gpu.index if gpu else None for n, gpu in partners.items()})
    lost = [gpu.uuid for gpu in ours if partners[gpu.ordinal] is None]
    if lost:
        fail(
            f"CUDA uses {len(lost)} GPUs that NVML does not know",
            expected="each UUID in both",
            found=f"{', '.join(lost)} in CUDA alone; NVML knows {', '.join(gpu.uuid or '?' for gpu in seen.gpus)}",
            cause="a container that was given the device files of some GPUs and the names of others",
        )


@check(
    catches=("F37",),
    fix="`nvidia-smi mig -cgi 0 -C -i N` on the host makes a MIG device, `nvidia-smi -i N -mig 0` switches MIG off",
)
def test_mig(evidence: Evidence) -> None:
    """A GPU in MIG mode has MIG devices: without one, CUDA can't use it."""
    if not nvml.first().gpus:
        _require_gpu()
    cut = [gpu for gpu in nvml.first().gpus if gpu.mig]
    evidence.fact("devices", {gpu.label(): list(gpu.mig_uuids) for gpu in cut})
    empty = [gpu.label() for gpu in cut if not gpu.mig_uuids]
    # A neighbour without MIG devices is nobody's loss while CUDA has GPUs of its own.
    if empty and not driver().gpus:
        fail(
            f"MIG is on and no MIG device is there: {', '.join(empty)}",
            expected="a MIG device, or MIG switched off",
            found="CUDA counts no GPU",
            cause="MIG mode that was switched on and never partitioned, or a container that was given none of the devices",
        )
