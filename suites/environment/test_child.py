"""What can crash, hang or behave differently under pytest, tried in clean processes of its own.

Each child imports torch again, which takes seconds; without a GPU these are left to the standard tier.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
import torch

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.environment import ChildReport, gpu_absence, run
from gnnbench.environment.pyg import EXTENSIONS, degraded, installed_extensions

TIER = "smoke" if gpu_absence() is None else "standard"
_TIMEOUT_S = 120.0


def _value(report: ChildReport, what: str) -> dict[str, Any]:
    if not report.ok:
        fail(
            f"{what}: the process {report.ending.value}",
            expected="an answer",
            found=report.describe(),
            cause=report.error,
        )
    value: dict[str, Any] = report.value
    return value


@check(tier=TIER, catches=("F32", "F44", "F45"), fix="run it with NCCL_DEBUG=INFO on a GPU")
def test_all_reduce(device: torch.device, evidence: Evidence) -> None:
    """A collective of one process runs: NCCL on a GPU, Gloo on a CPU."""
    # One process needs no network, and a container without one must not fail for it.
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if device.type == "cpu" else None
    report = run(
        "gnnbench.environment.collective:all_reduce", str(device), timeout=_TIMEOUT_S, environment=loopback
    )
    answer = _value(report, "all_reduce")
    for name, value in answer.items():
        evidence.fact(name, value)


@check(
    tier=TIER if not installed_extensions() else "smoke",
    catches=("F25", "F26", "F27"),
    fix="install the extension that was built for this torch and this CUDA, or uninstall it",
)
def test_pyg(pyg_report: ChildReport, evidence: Evidence) -> None:
    """PyG imports in a clean process without switching anything off.

    An image without PyG is not at fault by itself: graph neural networks are done with torch alone and with
    other libraries too, and only the user knows. `--require package:torch_geometric` makes its lack a failure.
    """
    _need_pyg()
    report = pyg_report
    if not report.ok and installed_extensions():
        # An extension's op may have brought the process down; the import alone is what is judged here.
        report = run("gnnbench.environment.pyg:import_torch_geometric", timeout=_TIMEOUT_S)
    answer = _value(report, "torch_geometric")
    for name in ("version", "flags", "warnings"):
        evidence.fact(name, answer[name])
    said = degraded([*report.value["warnings"], *report.stderr.splitlines()])
    if said:
        fail(
            "PyG has switched something off",
            expected="no such warning",
            found=said[0],
            cause="an extension that was built for another torch, CUDA, glibc or numpy",
        )


@check(
    catches=("F25", "F26", "F27", "F28"),
    fix="install the extension that was built for this torch and this CUDA, or uninstall it",
)
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_extension(extension: str, evidence: Evidence, request: pytest.FixtureRequest) -> None:
    """The extension imports, PyG uses it, and one of its ops is exact on every device, forward and backward."""
    if extension not in installed_extensions():
        not_applicable(
            f"{extension} is not installed",
            needs=f"package:{extension}",
            fix=f"pip install {extension}, from the wheels that PyG builds for this torch and this CUDA",
        )
    report: ChildReport = request.getfixturevalue("pyg_report")
    if report.ok:
        state = report.value["extensions"][extension]
    else:
        # Something took the shared process down; each extension answers for itself in one of its own.
        state = _value(run("gnnbench.environment.pyg:exercise", extension, timeout=_TIMEOUT_S), extension)
    for name in ("version", "flag", "devices"):
        evidence.fact(name, state[name])
    if state["error"]:
        fail(
            f"{extension} is installed and does not work",
            expected="an op that runs, forward and backward, with its exact result",
            found=str(state["error"]).strip().rpartition("\n")[2],
            cause="built for another torch, CUDA or glibc",
        )
    if state["flag"] is False:
        fail(
            f"{extension} works, and PyG does not use it",
            expected="PyG to have switched it on",
            found="its flag is False",
            cause="a version that this PyG does not accept",
        )


def _need_pyg() -> None:
    if find_spec("torch_geometric") is None:
        not_applicable(
            "PyTorch Geometric is not installed",
            needs="package:torch_geometric",
            fix="pip install torch-geometric",
        )
