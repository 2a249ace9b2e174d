"""States of one image that need several facts to be seen."""

from __future__ import annotations

import re
from collections import defaultdict

from gnnbench.history.side import Side
from gnnbench.history.version import release

#: Families that keep state which two copies in one process would split.
_SINGLE = re.compile(
    r"lib(cuda|cudart|cublas|cublasLt|cudnn\w*|nccl|cusparse\w*|cusolver\w*|nvrtc|nvJitLink|torch\w*|c10\w*|stdc\+\+)"
)
_OPENMP = {"libgomp": "GNU", "libiomp5": "Intel", "libomp": "LLVM"}


def driver_too_old(side: Side) -> bool:
    """The driver serves only CUDA of an earlier major version than torch was built for."""
    driver, built = release(side.text("cuda.driver_cuda_version")), release(side.text("torch.cuda"))
    return bool(driver) and bool(built) and driver[0] < built[0]


def driver_behind(side: Side) -> bool:
    """The driver is of the same major version of CUDA as torch was built for, and of an earlier minor one."""
    driver, built = release(side.text("cuda.driver_cuda_version")), release(side.text("torch.cuda"))
    return bool(driver) and bool(built) and driver[0] == built[0] and driver[:2] < built[:2]


def architecture_missing(side: Side) -> bool:
    """torch has no machine code for the major version of a GPU's compute capability, and no PTX that it could run."""
    return any(not runs for runs in _runs(side))


def served(mine: Side, _other: Side, _key: str) -> bool:
    """There are GPUs, and torch has code for each of them."""
    found = _runs(mine)
    return bool(found) and all(found)


def _runs(side: Side) -> list[bool]:
    """Of each GPU in use, whether an architecture that torch is built for runs there; empty where neither is known.

    `sm_XY` runs on the same major version from minor Y on, `compute_XY` on everything from X.Y on (CUDA C++
    Programming Guide, "Application Compatibility").
    """
    matches = (
        re.fullmatch(r"(sm|compute)_(\d{1,4})(\d)[af]?", entry) for entry in side.texts("torch.arch_list")
    )
    built = [(match[1], (int(match[2]), int(match[3]))) for match in matches if match]
    gpus = [found[:2] for text in side.capabilities() if len(found := release(text)) >= 2]
    if not built:
        return []
    return [
        any(code <= gpu and (kind == "compute" or code[0] == gpu[0]) for kind, code in built) for gpu in gpus
    ]


def several_copies(side: Side) -> bool:
    """One library of CUDA, torch or C++ is mapped from two files of one name, or in two major versions."""
    folders: dict[str, set[str]] = defaultdict(set)
    majors: dict[str, set[str]] = defaultdict(set)
    for path in side.texts("libraries.mapped"):
        folder, _, name = path.rpartition("/")
        family, found, version = name.partition(".so")
        if found and _SINGLE.fullmatch(family):
            folders[name].add(folder)
            majors[family].add(version.lstrip(".").partition(".")[0])
    return any(len(found) > 1 for found in (*folders.values(), *majors.values()))


def scattered_cudnn(side: Side) -> bool:
    """cuDNN's parts are mapped from several folders."""
    paths = (path.rpartition("/") for path in side.texts("libraries.mapped"))
    return len({folder for folder, _, name in paths if name.startswith("libcudnn")}) > 1


def several_openmp(side: Side) -> bool:
    """Two OpenMP runtimes are mapped."""
    stems = (
        re.sub(r"-[0-9a-f]{8}$", "", path.rpartition("/")[2].partition(".so")[0])
        for path in side.texts("libraries.mapped")
    )
    return len({_OPENMP[stem] for stem in stems if stem in _OPENMP}) > 1


def mixed_wheels(side: Side, key: str) -> bool:
    """The library of NVIDIA's wheel `key` is installed for two majors of CUDA, which write the same files."""
    wheel = re.fullmatch(r"packages\.nvidia-(.+)-cu\d+", key)
    if wheel is None:
        return False
    matches = (re.fullmatch(r"nvidia-(.+)-cu(\d+)", name) for name in side.packages)
    return len({match[2] for match in matches if match and match[1] == wheel[1]}) > 1


def mixed_builds(side: Side) -> bool:
    """torch, torchvision and torchaudio are not built for the same thing, where their versions say for what."""
    versions = (side.packages.get(name, "") for name in ("torch", "torchvision", "torchaudio"))
    tags = (re.fullmatch(r"[^+]+\+(cpu|cu\d+|rocm[\d.]+)", version) for version in versions)
    return len({match[1] for match in tags if match}) > 1


def reserved(side: Side, key: str) -> bool:
    """The compute mode of any GPU is not the default, 0, which lets every process use it (nvml.h, nvmlComputeMode_t)."""
    return any(mode > 0 for mode in side.numbers(key))
