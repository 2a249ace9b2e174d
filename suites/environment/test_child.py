"""What behaves differently under pytest, or takes its process down, tried in clean processes of its own."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from gnnbench.checks import Evidence, check, fail, inconclusive, not_applicable
from gnnbench.environment import ChildReport
from gnnbench.environment.pyg import EXTENSIONS, FLAGS, degraded, installed_extensions
from gnnbench.environment.survey import Survey, extensions

from .probing import Probing, ran_on, value_of


@check(catches=("F32", "F44", "F45"), fix="run it with NCCL_DEBUG=INFO on a GPU")
def test_all_reduce(device: torch.device, probing: Probing, evidence: Evidence) -> None:
    """A collective of one process runs: NCCL on a GPU, Gloo on a CPU."""
    what = f"all_reduce on {device}"
    ran_on(value_of(probing.start("child/all_reduce", str(device)).wait(), what, evidence), str(device), what)


@check(
    catches=("F43", "F44"),
    fix="read the log in the facts of this check; see /dev/shm (`--shm-size=1g`), `nvidia-smi topo -p2p r`, NCCL_P2P_DISABLE and "
    "NCCL_SHM_DISABLE, and whether an IOMMU or ACS stands between the GPUs",
)
def test_transport(survey: Survey, evidence: Evidence) -> None:
    """NCCL moves data between the GPUs of this machine as fast as they can: peer to peer, or through shared memory."""
    if survey.failure:
        inconclusive(
            f"nothing is known of NCCL: {survey.failure}", expected="NCCL's own log of an all_reduce"
        )
    transport = survey.value["transport"]
    if not transport:
        not_applicable(
            "there are no two GPUs between which NCCL could choose",
            needs="cuda:2",
            fix="use two GPUs or more",
        )
    for name, seen in transport.items():
        evidence.fact(name, seen)
    if "error" in transport:
        fail(
            "an all_reduce over all GPUs does not end well",
            expected="a sum on each",
            found=transport["error"],
        )
    used: dict[str, list[str]] = transport["used"]
    if not used:
        inconclusive(
            "NCCL's log names no transport", expected="lines of the form `Channel 00 : 0[0] -> 1[1] via P2P`"
        )
    network = [pair for pair, kinds in used.items() if any(kind.startswith("NET") for kind in kinds)]
    indirect = [pair for pair, kinds in used.items() if "SHM" in kinds and transport["peers"].get(pair)]
    if network or indirect:
        first = (network or indirect)[0]
        fail(
            f"NCCL goes {'over the network' if network else 'through host memory'} between GPUs {first} of one machine",
            expected="P2P, or SHM where two GPUs can't read each other's memory" if network else "P2P",
            found=f"{', '.join(used[first])}",
            cause="shared memory and peer access are both switched off or refused"
            if network
            else "peer access is possible, and NCCL is told or forced not to use it",
        )


@check(
    catches=("F25", "F26", "F27"),
    fix="install the extension that was built for this torch and this CUDA, or uninstall it",
)
def test_pyg(pyg_report: ChildReport, evidence: Evidence) -> None:
    """PyG imports in a clean process without switching anything off.

    An image without PyG is not at fault by itself: graph neural networks are done with torch alone and with
    other libraries too, and only the user knows. `--require package:torch_geometric` makes its lack a failure.
    """
    if find_spec("torch_geometric") is None:
        not_applicable(
            "PyTorch Geometric is not installed",
            needs="package:torch_geometric",
            fix="pip install torch-geometric",
        )
    value = value_of(pyg_report, "importing torch_geometric", evidence)
    said = degraded([*value["warnings"], *pyg_report.stderr.splitlines()])
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
@pytest.mark.usefixtures("fork_server")
def test_extension(extension: str, evidence: Evidence, request: pytest.FixtureRequest) -> None:
    """The extension imports, PyG uses it, and one of its ops is exact on every device, forward and backward."""
    if extension not in installed_extensions():
        not_applicable(
            f"{extension} is not installed",
            needs=f"package:{extension}",
            fix=f"pip install {extension}, from the wheels that PyG builds for this torch and this CUDA",
        )
    report = extensions()[extension]
    if report.error_type:
        # The last line of a chain of imports is what people look for; the traceback says the rest.
        evidence.fact("traceback", report.traceback[-4000:])
    value = value_of(report, f"{extension} is installed and does not work", evidence)
    if len(value["devices"]) > 1 and value["kernels"] == 0:
        fail(
            f"{extension} works, and runs nothing on the GPU",
            expected="kernels on the GPU, as the profiler counts them",
            found="none",
            cause="an extension that was built without CUDA",
        )
    if value["threads"]:
        fail(
            f"{extension} works, and leaves threads that keep a program from ending",
            expected="no thread that lives on when the main one has ended, but daemons",
            found=", ".join(value["threads"]),
            cause="a pool or watcher that is started at import and never stopped",
        )
    pyg: ChildReport = request.getfixturevalue("pyg_report")
    flag = pyg.value["flags"].get(FLAGS[extension]) if pyg.ok else None
    evidence.fact("flag", flag)
    if flag is False:
        fail(
            f"{extension} works, and PyG does not use it",
            expected="PyG to have switched it on",
            found="its flag is False",
            cause="a version that this PyG does not accept",
        )
