"""The static audit: what can be said of compiled files without loading one of them, and without a GPU.

Nothing here imports torch, or any package whose files are read.
"""

from gnnbench.environment.audit.device_code import CpuBuild, DeviceCode, cpu_builds, device_code
from gnnbench.environment.audit.elf import ElfError, ElfFile
from gnnbench.environment.audit.fatbin import FatbinError, containers
from gnnbench.environment.audit.libraries import MissingLibrary, OtherCuda, missing_libraries, other_cuda
from gnnbench.environment.audit.loadable import Unloadable, unloadable
from gnnbench.environment.audit.loader import Library, Loader
from gnnbench.environment.audit.offered import offered
from gnnbench.environment.audit.survey import CompiledFile, Survey, Torch, survey
from gnnbench.environment.audit.symbols import Unresolved, demangle, undefined_symbols
from gnnbench.environment.audit.versions import UnmetVersion, newest_need, running_glibc, unmet_versions
from gnnbench.environment.audit.wheel import unpacked

__all__ = [
    "CompiledFile",
    "CpuBuild",
    "DeviceCode",
    "ElfError",
    "ElfFile",
    "FatbinError",
    "Library",
    "Loader",
    "MissingLibrary",
    "OtherCuda",
    "Survey",
    "Torch",
    "Unloadable",
    "UnmetVersion",
    "Unresolved",
    "containers",
    "cpu_builds",
    "demangle",
    "device_code",
    "missing_libraries",
    "newest_need",
    "offered",
    "other_cuda",
    "running_glibc",
    "survey",
    "undefined_symbols",
    "unloadable",
    "unmet_versions",
    "unpacked",
]
