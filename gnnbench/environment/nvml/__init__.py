"""NVML, through nvidia-ml-py: what the GPUs say of themselves. It needs the driver, not CUDA, and no context.

Every question is asked alone: one that is refused, fails or is answered with nonsense costs its own reading, never
the GPU's others. All of them are asked in a child process, so that a driver that hangs or crashes costs no run.
"""

from gnnbench.environment.nvml.gpu import NvmlGpu, Reader
from gnnbench.environment.nvml.links import NvLink
from gnnbench.environment.nvml.questions import QUESTIONS
from gnnbench.environment.nvml.reading import Loss, Reading, ask
from gnnbench.environment.nvml.session import NvmlUnavailableError, Problem, session
from gnnbench.environment.nvml.snapshot import (
    Snapshot,
    driver_version,
    first,
    gpus,
    read_snapshot,
    take,
)

__all__ = [
    "QUESTIONS",
    "Loss",
    "NvLink",
    "NvmlGpu",
    "NvmlUnavailableError",
    "Problem",
    "Reader",
    "Reading",
    "Snapshot",
    "ask",
    "driver_version",
    "first",
    "gpus",
    "read_snapshot",
    "session",
    "take",
]
