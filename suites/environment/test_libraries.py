"""The libraries of CUDA, each loaded in a process of its own and asked for its version."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from gnnbench.checks import Evidence, check, fail, inconclusive, not_applicable
from gnnbench.environment import ChildReport, Ending, ForkServer, driver, gpu_absence
from gnnbench.environment.cuda_libraries import TOOLKIT
from gnnbench.environment.endings import cause_of, manner_of
from gnnbench.environment.nccl import least_nccl
from gnnbench.environment.torch_build import compiled_cudnn, nccl_version

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Loaded:
    """One library, and what came of loading it."""

    path: str
    report: ChildReport

    @property
    def value(self) -> dict[str, Any]:
        """`family`, `major`, `function`, `version`; empty where it did not load."""
        return dict(self.report.value or {}) if self.report.ok else {}


@pytest.fixture(scope="session")
def loaded(fork_server: ForkServer) -> tuple[Loaded, ...]:
    """Every library of CUDA that a program would work with here; none where neither torch nor the path has any."""
    found = fork_server.start("gnnbench.environment.cuda_libraries:candidates", timeout=_TIMEOUT_S).wait()
    if not found.ok:
        # Not known is not none: whoever judges must not find that there is nothing to judge.
        return (Loaded("the list of CUDA's libraries", found),)
    paths = found.value
    started = [
        (path, fork_server.start("gnnbench.environment.cuda_libraries:load", path, timeout=_TIMEOUT_S))
        for path in paths
    ]
    return tuple(Loaded(path, fork.wait()) for path, fork in started)


def _some(loaded: tuple[Loaded, ...]) -> tuple[Loaded, ...]:
    if not loaded:
        absence = gpu_absence()
        not_applicable(
            "neither torch nor LD_LIBRARY_PATH brings a library of CUDA",
            needs="cuda",
            fix="" if absence is None else absence.fix,
        )
    return loaded


@check(
    catches=("F25", "F30", "F31"),
    fix="install torch and its nvidia-* wheels again, and take foreign folders out of LD_LIBRARY_PATH",
)
def test_load(loaded: tuple[Loaded, ...], evidence: Evidence) -> None:
    """Every CUDA library loads in a process of its own and says its version."""
    said = {
        one.path: one.value.get("version") if one.report.ok else manner_of(one.report)
        for one in _some(loaded)
    }
    evidence.fact("libraries", said)
    bad = [one for one in loaded if not one.report.ok]
    if bad:
        first = bad[0].report
        fail(
            f"{len(bad)} of {len(loaded)} CUDA libraries can't be used: {', '.join(one.path for one in bad)}",
            expected="a library that loads and says its version",
            found="; ".join(f"{one.path}: {_how(one.report)}" for one in bad),
            cause=cause_of(first) or "a stub, or a file that was cut short",
        )


def _how(report: ChildReport) -> str:
    return f"hung: {report.error}" if report.ending is Ending.HUNG else report.error


@check(
    catches=("F31", "F32"),
    fix="unset LD_LIBRARY_PATH, or install in the image the versions that torch was built with: `pip install torch` brings them",
)
def test_versions(loaded: tuple[Loaded, ...], evidence: Evidence) -> None:
    """What the libraries say of themselves fits their names, each other, and what torch was built with."""
    wrong = []
    by_family: dict[str, dict[str, str]] = defaultdict(dict)
    for one in _some(loaded):
        value = one.value
        if not value.get("version"):
            continue
        by_family[value["family"]][value["version"]] = one.path
        if value["major"] and value["version"].partition(".")[0] != value["major"]:
            wrong.append(f"{one.path} says that it is {value['version']}")
    evidence.fact("versions", {family: list(found) for family, found in by_family.items()})
    if not by_family:
        inconclusive(
            f"none of {len(loaded)} CUDA libraries says its version",
            expected="at least one that loads and can be asked",
            found="see libraries/load",
        )
    for family, found in by_family.items():
        if len(found) > 1:
            wrong.append(f"{family} is there as {' and '.join(f'{v} ({p})' for v, p in found.items())}")
        wrong += [
            f"{family} is {version} ({path}), and torch was built with {built}"
            for version, path in found.items()
            if (built := _built_with(family)) and not _serves(version, built)
        ]
    majors = {version.partition(".")[0] for name in TOOLKIT for version in by_family.get(name, ())}
    if len(majors) > 1:
        wrong.append(f"parts of CUDA {' and '.join(sorted(majors))} are mixed")
    if wrong:
        fail(
            f"{len(wrong)} versions of CUDA libraries do not fit: {wrong[0]}",
            expected="libraries of the releases that torch was built with, or later ones of the same major version",
            found="; ".join(wrong),
            cause="another copy that LD_LIBRARY_PATH or the system puts before torch's own",
        )


def _built_with(family: str) -> str | None:
    """The release of `family` that torch was built with, as far as torch says."""
    if family == "libcudnn":
        return compiled_cudnn(torch)
    if family == "libnccl":
        return nccl_version(torch)
    return torch.version.cuda if family in TOOLKIT else None


def _serves(version: str, built: str) -> bool:
    """Whether `version` has all that a build against `built` calls: the same major version, and no older.

    cuDNN promises it from 8 on, the toolkit as minor version compatibility, NCCL within 2.
    """
    found, wanted = _numbers(version), _numbers(built)
    return found[0] == wanted[0] and found[1] >= wanted[1]


def _numbers(version: str) -> tuple[int, int]:
    major, minor = (int(part) for part in (version + ".0").split(".")[:2])
    return major, minor


@check(
    catches=("F45",),
    fix="install a later NCCL: `pip install -U nvidia-nccl-cu12`, or the torch that brings one",
)
def test_nccl_serves(loaded: tuple[Loaded, ...], evidence: Evidence) -> None:
    """NCCL is recent enough for the GPUs that it has to drive."""
    versions = [one.value["version"] for one in loaded if one.value.get("family") == "libnccl"]
    capabilities = sorted({gpu.capability for gpu in driver().gpus})
    evidence.fact("nccl", versions)
    evidence.fact("capabilities", capabilities)
    if not versions or not capabilities:
        not_applicable(
            "there is no NCCL, or no GPU for it to drive", needs="cuda", fix="use an image with NCCL on a GPU"
        )
    for capability in capabilities:
        least = least_nccl(capability)
        for version in versions:
            if least is not None and _numbers(version) < _numbers(least):
                fail(
                    f"NCCL {version} is too old for GPUs of compute capability {capability}",
                    expected=f"NCCL {least} or later",
                    found=f"NCCL {version}",
                    cause="an image from before this GPU",
                )
