"""The environment: facts about machine and image, and probes that can't harm the process that asks.

Importing this room imports neither torch nor pynvml, and nothing in it initialises CUDA in the process
that calls.
"""

from gnnbench.environment.absence import Absence, Reason, diagnose, gpu_absence
from gnnbench.environment.architecture import Compatibility, Support, compat
from gnnbench.environment.child import Child, ChildReport, Ending, ForkServer, Limits, run, start
from gnnbench.environment.cuda import CudaGpu, DriverReport, ask_driver, driver, join
from gnnbench.environment.devices import TorchUnusableError, resolve_devices
from gnnbench.environment.fact import FactSpec
from gnnbench.environment.libraries import MappedLibrary, mapped_libraries, parse_maps
from gnnbench.environment.nvml import NvmlGpu, NvmlUnavailableError
from gnnbench.environment.registry import FACTS, collect, completed, contract_vocabulary

__all__ = [
    "FACTS",
    "Absence",
    "Child",
    "ChildReport",
    "Compatibility",
    "CudaGpu",
    "DriverReport",
    "Ending",
    "FactSpec",
    "ForkServer",
    "Limits",
    "MappedLibrary",
    "NvmlGpu",
    "NvmlUnavailableError",
    "Reason",
    "Support",
    "TorchUnusableError",
    "ask_driver",
    "collect",
    "compat",
    "completed",
    "contract_vocabulary",
    "diagnose",
    "driver",
    "gpu_absence",
    "join",
    "mapped_libraries",
    "parse_maps",
    "resolve_devices",
    "run",
    "start",
]
