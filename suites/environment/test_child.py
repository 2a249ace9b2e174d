"""What can crash, hang or behave differently under pytest, tried in clean processes of its own.

Each child imports torch again, which takes seconds; without a GPU these are left to the standard tier.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.environment import ChildReport, gpu_absence, run
from gnnbench.environment.pyg import degraded, installed_extensions

TIER = "smoke" if gpu_absence() is None else "standard"
_TIMEOUT_S = 120.0


def _value(report: ChildReport, what: str) -> dict[str, object]:
    if not report.ok:
        fail(
            f"{what}: the process {report.ending.value}",
            expected="an answer",
            found=report.describe(),
            cause=report.error,
        )
    value: dict[str, object] = report.value
    return value


@check(tier=TIER, catches=("F32", "F44", "F45"), fix="run it with NCCL_DEBUG=INFO on a GPU")
def test_all_reduce(device: torch.device, evidence: Evidence) -> None:
    """A collective of one process runs: NCCL on a GPU, Gloo on a CPU."""
    answer = _value(
        run("gnnbench.environment.collective:all_reduce", str(device), timeout=_TIMEOUT_S), "all_reduce"
    )
    for name, value in answer.items():
        evidence.fact(name, value)


@check(
    tier=TIER if not installed_extensions() else "smoke",
    catches=("F25", "F26", "F27"),
    fix="install the extension that was built for this torch and this CUDA, or uninstall it",
)
def test_pyg(evidence: Evidence) -> None:
    """PyG imports without switching anything off, and each extension runs forward and backward."""
    if find_spec("torch_geometric") is None:
        not_applicable(
            "PyTorch Geometric is not installed",
            needs="package:torch_geometric",
            fix="pip install torch-geometric",
        )
    report = run("gnnbench.environment.pyg:probe", list(installed_extensions()), timeout=_TIMEOUT_S)
    answer = _value(report, "torch_geometric")
    for name in ("version", "flags", "warnings"):
        evidence.fact(name, answer[name])
    said = degraded(list(answer["warnings"]))  # type: ignore[call-overload]  # a list of strings
    if said:
        fail(
            "PyG has switched something off",
            expected="no such warning",
            found=said[0],
            cause="an extension that was built for another torch or CUDA",
        )
    extensions: dict[str, dict[str, object]] = answer["extensions"]  # type: ignore[assignment]
    evidence.fact("extensions", {name: state["version"] for name, state in extensions.items()})
    for name, state in extensions.items():
        if state["error"] or state["flag"] is False:
            last = str(state["error"]).strip().rpartition("\n")[2] or "PyG does not use it"
            fail(f"{name} is installed and does not work", expected="its ops run", found=last)
