"""What the user said must be there.

Other checks say what they lack and are turned into failures where that was required. But nobody lacks a package
that no check uses: without this one, `--require package:dgl` would hold wherever dgl is absent.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.environment import gpu_absence, packages
from gnnbench.graphs import PLANETOID_NAMES, DatasetAbsent, DatasetCorrupt
from gnnbench.graphs.planetoid_files import verify_raw_files
from gnnbench.session import options_key


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check for each requirement; conftest.py collects none where there is none."""
    if "requirement" in metafunc.fixturenames:
        metafunc.parametrize("requirement", sorted(metafunc.config.stash[options_key].requirements))


@check(catches=("F33",), fix="bring what was required, or take it out of --require")
def test_required(requirement: str, data_root: Path | None, evidence: Evidence) -> None:
    """What was required is there."""
    kind, _, name = requirement.partition(":")
    if kind == "cuda":
        _judge_gpus(int(name or 1), requirement, evidence)
    elif kind == "package":
        version = packages.installed().get(packages.canonical(name))
        evidence.fact("version", version)
        if version is None:
            not_applicable(f"{name} is not installed", needs=requirement, fix=f"pip install {name}")
    else:
        evidence.fact("folder", None if data_root is None else str(data_root))
        _judge_data_set(name, data_root, requirement)


def _judge_data_set(name: str, root: Path | None, requirement: str) -> None:
    if name not in PLANETOID_NAMES:
        not_applicable(
            f"{name} is no data set that gnnbench reads",
            needs=requirement,
            fix=f"require one of {', '.join(PLANETOID_NAMES)}",
        )
    try:
        verify_raw_files(name, root)
    except DatasetAbsent as error:
        not_applicable(error.summary, needs=requirement, fix=error.fix)
    except DatasetCorrupt as error:
        fail(f"{name} can't be read", expected="the files as published", found=str(error))


def _judge_gpus(wanted: int, requirement: str, evidence: Evidence) -> None:
    found = torch.cuda.device_count()
    evidence.fact("gpus", found)
    if found >= wanted:
        return
    absence = gpu_absence()
    not_applicable(
        f"{found} of {wanted} GPUs are visible" + ("" if absence is None else f": {absence.summary}"),
        needs=requirement,
        fix="look at CUDA_VISIBLE_DEVICES, `--gpus`, and `nvidia-smi -L` on the host"
        if absence is None
        else absence.fix,
    )
