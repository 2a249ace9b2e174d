"""What follows from other GPUs, another driver, and another state of either."""

from __future__ import annotations

from gnnbench.history.conditions import (
    changed,
    fewer,
    flagged,
    higher,
    lacks,
    lesser,
    lost_entry,
    lower,
    mentions,
    older,
    others,
    unless,
)
from gnnbench.history.consequence import Consequence, Weight

_GPUS = "hardware.gpus"
_MEMORY_ERRORS = "https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/index.html"
_NVML = "https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html"
_CAPABILITIES = "https://docs.nvidia.com/cuda/cuda-c-programming-guide/#compute-capabilities"

DEVICES = (
    *(
        Consequence(
            key,
            Weight.BREAKS,
            lacks,
            "No GPU is in use: what needs one is not judged, or falls back to the CPU.",
            ("dmlc/dgl#5154",),
        )
        for key in ("hardware.gpu_models", "devices.model")
    ),
    Consequence(
        "cuda.init",
        Weight.BREAKS,
        lambda mine, other, key: mine.text(key) != "CUDA_SUCCESS" and other.text(key) == "CUDA_SUCCESS",
        "CUDA can't be initialised.",
        ("https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html",),
    ),
    *(
        Consequence(
            key,
            Weight.BREAKS,
            unless(fewer, lacks) if key != "hardware.gpu_count" else lower,
            "Fewer GPUs: programs that name a device or start a rank for each GPU fail.",
            ("NVIDIA/nccl#1241",),
        )
        for key in ("hardware.gpu_models", "devices.model", "hardware.gpu_count")
    ),
    Consequence(
        "cuda.driver_library",
        Weight.BREAKS,
        mentions(r"/compat/|/stubs/"),
        "libcuda is the image's own, not the driver's: error 803 or 804 where the GPU or its driver does not support the "
        "image's compat library, error 34 from a stub. Take its folder out of `LD_LIBRARY_PATH`.",
        ("NVIDIA/nvidia-docker#1515", "NVIDIA/nvidia-docker#1294"),
    ),
    Consequence(
        "cuda.driver_library",
        Weight.BREAKS,
        lacks,
        "There is no driver library: the container was started without GPUs, or without the `compute` capability.",
        ("https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html",),
    ),
    Consequence(
        f"{_GPUS}.remap_failed",
        Weight.BREAKS,
        flagged,
        "A row of GPU memory is bad and could not be remapped: the card is to be replaced.",
        (_MEMORY_ERRORS,),
    ),
    Consequence(
        f"{_GPUS}.ecc_errors",
        Weight.BREAKS,
        higher,
        "Uncorrected memory errors: what held the memory was ended, and the GPU may need a reset.",
        (_MEMORY_ERRORS,),
    ),
    Consequence(
        f"{_GPUS}.mig_uuids",
        Weight.BREAKS,
        flagged,
        "MIG is on: a process sees one slice, with a part of memory and multiprocessors, and without NVLink or P2P.",
        (
            "pytorch/pytorch#95784",
            "pytorch/pytorch#130181",
            "https://docs.rapids.ai/deployment/stable/guides/mig.html",
        ),
    ),
    *(
        Consequence(
            key,
            Weight.RESULTS,
            others,
            "Another model: random numbers of one seed, choices of kernels and limits of memory differ. Timings are not "
            "comparable.",
            ("pytorch/pytorch#194676", "pytorch/pytorch#25690"),
        )
        for key in ("hardware.gpu_models", "devices.model")
    ),
    *(
        Consequence(
            key,
            Weight.RESULTS,
            lesser,
            "A lower compute capability lacks what the higher has: bfloat16 and TF32 are of 8.0 and later, and are "
            "emulated, or absent, before.",
            (_CAPABILITIES, "pytorch/pytorch#148322"),
        )
        for key in ("hardware.capabilities", f"{_GPUS}.capability", "devices.capability")
    ),
    *(
        Consequence(
            key,
            Weight.RESULTS,
            lower,
            "Less GPU memory: the largest graph that fits is smaller.",
            ("https://docs.pytorch.org/docs/stable/notes/faq.html",),
        )
        for key in (f"{_GPUS}.memory_bytes", "devices.memory_bytes")
    ),
    Consequence(
        "hardware.driver_version",
        Weight.RESULTS,
        older,
        "An older driver: it serves fewer versions of CUDA, compiles PTX by an older compiler, and lacks later fixes.",
        ("https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html",),
    ),
    Consequence(
        f"{_GPUS}.power_limit_w",
        Weight.SPEED,
        lower,
        "A lower power limit: clocks fall under load, the more so in long runs.",
        (_NVML,),
    ),
    Consequence(
        f"{_GPUS}.pcie_width",
        Weight.SPEED,
        lower,
        "The link to the host runs on fewer lanes: copies and data loading take longer. No log tells of it.",
        ("NVIDIA/NVSentinel#890",),
    ),
    Consequence(
        f"{_GPUS}.pcie_width_max",
        Weight.SPEED,
        lower,
        "The GPU sits in a slot of fewer lanes: copies and data loading take longer.",
        ("NVIDIA/NVSentinel#890",),
    ),
    Consequence(
        "nccl.transport",
        Weight.SPEED,
        lost_entry,
        "NCCL does without a transport: between GPUs without P2P through host memory, between machines without "
        "InfiniBand through sockets.",
        ("NVIDIA/nccl#451",),
    ),
    Consequence(
        "hardware.cpu_model",
        Weight.SPEED,
        changed,
        "Another CPU: data loading and the launching of kernels take another time. Timings are not comparable.",
        ("https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html",),
    ),
    Consequence(
        "cuda.driver_cuda_version",
        Weight.RESULTS,
        older,
        "The driver serves fewer versions of CUDA.",
        ("https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html",),
    ),
)
