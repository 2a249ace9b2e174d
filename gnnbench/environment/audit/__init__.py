"""The static audit: what can be said of compiled files without loading one of them, and without a GPU.

Nothing here imports torch, or any package whose files are read.
"""

from gnnbench.environment.audit.device_code import CpuBuild, DeviceCode, cpu_builds, device_code
from gnnbench.environment.audit.elf import ElfError, ElfFile
from gnnbench.environment.audit.fatbin import FatbinError, containers
from gnnbench.environment.audit.inventory import CompiledFile, Inventory, Torch, inventory
from gnnbench.environment.audit.libraries import MissingLibrary, OtherCuda, missing_libraries, other_cuda
from gnnbench.environment.audit.loadable import Unloadable, unloadable
from gnnbench.environment.audit.loader import Library, Loader
from gnnbench.environment.audit.offered import offered
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
    "Inventory",
    "Library",
    "Loader",
    "MissingLibrary",
    "OtherCuda",
    "Torch",
    "Unloadable",
    "UnmetVersion",
    "Unresolved",
    "containers",
    "cpu_builds",
    "demangle",
    "device_code",
    "inventory",
    "missing_libraries",
    "newest_need",
    "offered",
    "other_cuda",
    "running_glibc",
    "undefined_symbols",
    "unloadable",
    "unmet_versions",
    "unpacked",
]
