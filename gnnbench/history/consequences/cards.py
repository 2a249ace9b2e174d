"""What follows from another state of the GPUs, and from other ways between them."""

from __future__ import annotations

from gnnbench.history.conditions import changed, fewer_in_all, flagged, lower, off
from gnnbench.history.consequence import Consequence, Weight
from gnnbench.history.states import reserved

_MEMORY_ERRORS = "https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/index.html"
_NVML = "https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html"
_NVIDIA_SMI = "https://docs.nvidia.com/deploy/nvidia-smi/index.html"
_NCCL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html"

CARDS = (
    *(
        Consequence(
            key,
            Weight.BREAKS,
            flagged,
            "MIG is on: a process sees one slice, with a part of memory and multiprocessors, and without NVLink or P2P.",
            (
                "pytorch/pytorch#95784",
                "pytorch/pytorch#130181",
                "https://docs.rapids.ai/deployment/stable/guides/mig.html",
            ),
        )
        for key in ("hardware.gpus.mig", "hardware.mig")
    ),
    Consequence(
        "hardware.gpus.compute_mode",
        Weight.BREAKS,
        lambda mine, other, key: reserved(mine, key) and not reserved(other, key),
        'The compute mode lets one process use a GPU, or none: a second rank, worker or probe ends with "CUDA-capable '
        'device(s) is/are busy or unavailable".',
        (_NVIDIA_SMI,),
    ),
    *(
        Consequence(
            key,
            Weight.BREAKS,
            off,
            "ECC is off: a bit that flips in GPU memory is neither corrected nor told of.",
            (_MEMORY_ERRORS,),
        )
        for key in ("hardware.gpus.ecc", "hardware.ecc")
    ),
    *(
        Consequence(
            key,
            Weight.SPEED,
            lower,
            "A lower power limit: clocks fall under load, the more so in long runs.",
            (_NVML,),
        )
        for key in ("hardware.gpus.power_limit", "hardware.power_limit")
    ),
    *(
        Consequence(
            key,
            Weight.SPEED,
            lower,
            "The link to the host runs on fewer lanes: copies and data loading take longer. No log tells of it.",
            ("NVIDIA/NVSentinel#890",),
        )
        for key in ("hardware.gpus.pcie_width", "hardware.pcie_width")
    ),
    *(
        Consequence(
            key,
            Weight.SPEED,
            lower,
            "The slot has fewer lanes, or is of an older generation: copies and data loading take longer.",
            ("NVIDIA/NVSentinel#890",),
        )
        for name in ("pcie_width_max", "pcie_generation_max")
        for key in (f"hardware.gpus.{name}", f"hardware.{name}")
    ),
    *(
        Consequence(
            key,
            Weight.SPEED,
            lower,
            "The clock can't rise as high.",
            (_NVML,),
        )
        for name in ("clock_sm_max", "clock_memory_max")
        for key in (f"hardware.gpus.{name}", f"hardware.{name}")
    ),
    *(
        Consequence(
            key,
            Weight.SPEED,
            off,
            "Persistence mode is off: the driver unloads when nothing uses the GPU, and the next program waits for it.",
            ("https://docs.nvidia.com/deploy/driver-persistence/index.html",),
        )
        for key in ("hardware.gpus.persistence_mode", "hardware.persistence")
    ),
    Consequence(
        "hardware.nvlink.*",
        Weight.SPEED,
        fewer_in_all,
        "Fewer NVLinks are up: GPUs talk over the rest, or over PCIe.",
        (_NCCL,),
    ),
    Consequence(
        "hardware.topology.*",
        Weight.SPEED,
        changed,
        "GPUs are connected in another way: NCCL chooses other rings and transports.",
        (_NCCL,),
    ),
    Consequence(
        "hardware.peer_access",
        Weight.SPEED,
        fewer_in_all,
        "Fewer pairs of GPUs reach each other's memory: their copies go through the host.",
        (_NCCL,),
    ),
)
