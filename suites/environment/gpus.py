"""The GPUs that the checks of health are about, and the one outcome that comes of several GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import NoReturn

from gnnbench.checks import Evidence, fail, inconclusive, not_applicable
from gnnbench.environment import driver, gpu_absence, nvml
from gnnbench.environment.cuda import device_nodes
from gnnbench.environment.health import Opinion

_SAY = "`nvidia-smi -q` on the host says more; update the driver and nvidia-ml-py where they do not know the question"
_ASK_AS_ROOT = (
    "run this check on the host, or as root: the driver refuses the answer to this user or container"
)


def gpus_at_start() -> nvml.Snapshot:
    """The GPUs as they were first; ends the check where there is none, or none to ask."""
    found = nvml.first()
    if not found.gpus:
        _nothing_to_ask(found.problem)
    return found


def _nothing_to_ask(problem: nvml.Problem | None) -> NoReturn:
    absence = gpu_absence()
    if not (driver().gpus or device_nodes()) and absence is not None:
        not_applicable(absence.summary, needs="cuda", fix=absence.fix)
    inconclusive(
        f"NVML could not be asked: {problem.said}" if problem else "NVML counts no GPU",
        expected="the list of GPUs",
        found="no answer" if problem else "an empty one",
        cause=problem.cause if problem else "",
        fix=problem.fix if problem else "compare `nvidia-smi -L` inside and outside the container",
    )


def in_use(snapshot: nvml.Snapshot) -> tuple[dict[str, nvml.NvmlGpu], list[Opinion]]:
    """Label → GPU, for those that CUDA shows this process, or all where it shows none; and those without partner."""
    ours = driver().gpus
    if not ours:
        return {gpu.label(): gpu for gpu in snapshot.gpus if not gpu.lost}, []
    known, unknown = {}, []
    partners = snapshot.of(ours)
    for gpu in ours:
        partner = partners[gpu.ordinal]
        if partner is None:
            unknown.append(
                Opinion(f"cuda:{gpu.ordinal} ({gpu.uuid})", unread=["NVML does not tell which it is"])
            )
        else:
            known[f"cuda:{gpu.ordinal} = {partner.label()}"] = partner
    return known, unknown


def conclude(evidence: Evidence, opinions: Iterable[Opinion], *, needs: str) -> None:
    """One outcome for the GPUs' opinions: a trouble is a failure, a question without an answer inconclusive."""
    opinions = list(opinions)
    told: dict[str, dict[str, list[object]]] = {}
    for opinion in opinions:
        of_gpu = told.setdefault(opinion.gpu, {})
        for name, said in asdict(opinion).items():
            if said and name != "gpu":
                of_gpu.setdefault(name, []).extend(said)
    for gpu, words in told.items():
        evidence.fact(gpu, words or "good")
    troubled = [(opinion.gpu, trouble) for opinion in opinions for trouble in opinion.troubles]
    if troubled:
        gpu, first = troubled[0]
        fail(
            f"{_short(gpu)}: {first.text}{_more(troubled)}",
            expected=first.expected,
            found="; ".join(f"{where}: {trouble.text}" for where, trouble in troubled),
            cause=first.cause,
            fix=first.fix,
        )
    unread = [(opinion.gpu, what) for opinion in opinions for what in opinion.unread]
    if unread:
        gpu, what = unread[0]
        inconclusive(
            f"{_short(gpu)} can't be judged: {what}{_more(unread)}",
            expected="answers of NVML that make sense",
            found="; ".join(f"{where}: {why}" for where, why in unread),
            fix=_ASK_AS_ROOT if nvml.Loss.REFUSED.value in what else _SAY,
        )
    lacking = sorted({what for opinion in opinions for what in opinion.lacks})
    if opinions and all(opinion.lacks for opinion in opinions):
        not_applicable(f"no GPU here has {', nor '.join(lacking)}", needs=needs)


def _short(label: str) -> str:
    """Without the product and the UUID, which stand in what was found."""
    return label.partition(" (")[0]


def _more(found: Sequence[object]) -> str:
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""
