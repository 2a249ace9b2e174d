"""The GPUs that the device code of an image can run on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gnnbench.environment.architecture import Compatibility, Support, compat
from gnnbench.environment.audit import cuobjdump
from gnnbench.environment.audit.elf import ElfError
from gnnbench.environment.audit.fatbin import Container, FatbinError, containers
from gnnbench.environment.audit.inventory import CompiledFile, Inventory

#: cuobjdump reads a large file for long: 13 s for torch's 500 MB, of which the headers tell the same in 20 ms.
_LISTED_BYTES = 64 * 2**20
#: NVIDIA's libraries and parts of torch that only some functions load, and that serve fewer GPUs than the rest by
#: intent: cuSPARSELt none before Ampere, torch's linear algebra of CUDA 13 none before it either.
_OPTIONAL = re.compile(
    r"lib(cudnn\w*|cusparseLt|cusolver\w*|cufft\w*|curand|cutensor\w*|nvjpeg\w*|npp\w*|nvshmem\w*|cufile\w*|nvrtc\w*"
    r"|nvJitLink|cupti|nvperf\w*|nvblas|torch_cuda_linalg|torch_nvshmem)([-.][0-9a-f]{8})?\.so.*|nvshmem\w*\.so.*"
)


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What one file holds for GPUs."""

    file: CompiledFile
    containers: tuple[Container, ...] = ()
    error: str = ""
    """Why it can't be told."""

    @property
    def architectures(self) -> frozenset[str]:
        """Of all containers together: `{"sm_90", "compute_90"}`."""
        return frozenset().union(*self.containers)

    @property
    def optional(self) -> bool:
        """Whether an image serves a GPU without it."""
        return _OPTIONAL.fullmatch(self.file.path.name) is not None

    def serves(self, capability: tuple[int, int]) -> Compatibility:
        """How the file as a whole serves a GPU: the best that any container does."""
        return compat(sorted(self.architectures), capability)

    def share(self, capability: tuple[int, int]) -> tuple[int, int]:
        """How many containers serve that GPU, and how many there are.

        Some are rightly for a few architectures only: kernels that use what others lack, chosen at run time.
        """
        serving = [one for one in self.containers if compat(one, capability).support is not Support.NONE]
        return len(serving), len(self.containers)


def device_code(inventory: Inventory) -> list[DeviceCode]:
    """Of every file that has any, and of the libraries that torch loads from elsewhere."""
    files = {file.path.resolve(): file for file in inventory.readable if file.has_device_code}
    for library in inventory.loader.loaded.values():
        outside = CompiledFile(library.path.resolve(), Path("/"), library.elf)
        try:
            if outside.path not in files and outside.has_device_code:
                files[outside.path] = outside
        except ElfError:
            continue
    return [_read(file) for file in files.values()]


def _read(file: CompiledFile) -> DeviceCode:
    assert file.elf is not None
    tool = cuobjdump.find()
    try:
        found = tuple(containers(file.elf))
    except FatbinError as error:
        # A layout that is not known to us may be to NVIDIA's own tool.
        return _listed(file, tool, str(error))
    if tool is not None and len(file.elf.image) <= _LISTED_BYTES:
        try:
            listed = cuobjdump.architectures(tool, file.path)
        except RuntimeError:
            return DeviceCode(file, found)  # a tool too new or too old for this file is no reason to doubt it
        parsed = frozenset().union(*found)
        if not cuobjdump.agrees(parsed, listed):
            told = f"its headers say {_words(parsed)}, cuobjdump lists {_words(listed)}"
            return DeviceCode(file, found, told)
    return DeviceCode(file, found)


def _listed(file: CompiledFile, tool: str | None, error: str) -> DeviceCode:
    if tool is None:
        return DeviceCode(file, error=f"{error}; there is no cuobjdump to ask")
    try:
        return DeviceCode(file, (cuobjdump.architectures(tool, file.path),))
    except RuntimeError as second:
        return DeviceCode(file, error=f"{error}; {second}")


def _words(architectures: frozenset[str]) -> str:
    return ", ".join(sorted(architectures)) or "nothing"


@dataclass(frozen=True, slots=True)
class CpuBuild:
    """A package that was compiled without its CUDA kernels, beside a torch that has its own."""

    package: str
    why: str


#: Packages whose CUDA kernels are what they are installed for, by the name that is imported.
_WITH_KERNELS = frozenset(
    {"torch_scatter", "torch_sparse", "torch_cluster", "torch_spline_conv", "pyg_lib", "torchvision"}
    | {"torch_linear_assignment", "torch_points_kernels", "detectron2"}
)


def cpu_builds(inventory: Inventory, versions: dict[str, str]) -> list[CpuBuild]:
    """Packages without a line of device code where torch was built for CUDA; empty where it was not.

    Many packages need none. One is told of where it is known to have kernels, where its version says `cpu`, or where
    it has files for the CPU (`_scatter_cpu.so`) and none for CUDA beside them.

    Args:
        inventory: of the image.
        versions: canonical distribution name → version, of `packages.installed`.
    """
    if inventory.torch is None or inventory.torch.cuda is None:
        return []
    packages: dict[str, list[CompiledFile]] = {}
    for file in inventory.readable:
        if file.with_torch and file.package != "torch":
            packages.setdefault(file.package, []).append(file)
    found = []
    for package, files in packages.items():
        if any(file.has_device_code for file in files):
            continue
        version = versions.get(package.replace("_", "-").lower(), "")
        names = {file.path.name.partition(".")[0] for file in files}
        halves = sorted(
            name for name in names if re.search(r"_cpu$", name) and f"{name[:-4]}_cuda" not in names
        )
        if package in _WITH_KERNELS:
            found.append(CpuBuild(package, "it has CUDA kernels where it is built with them"))
        elif re.search(r"\+\w*cpu$", version):
            found.append(CpuBuild(package, f"its version is {version}"))
        elif halves:
            found.append(CpuBuild(package, f"it has {halves[0]} and no {halves[0][:-4]}_cuda"))
    return found
