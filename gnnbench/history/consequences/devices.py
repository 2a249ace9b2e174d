"""What follows from other GPUs in use, and from another driver."""

from __future__ import annotations

from gnnbench.history.conditions import changed, fewer, lacks, lesser, lower, mentions, older, others, unless
from gnnbench.history.consequence import Consequence, Weight

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
        for key in ("hardware.capabilities", "hardware.gpus.capability", "devices.capability")
    ),
    *(
        Consequence(
            key,
            Weight.RESULTS,
            lower,
            "Less GPU memory: the largest graph that fits is smaller.",
            ("https://docs.pytorch.org/docs/stable/notes/faq.html",),
        )
        for key in ("hardware.gpus.memory_bytes", "hardware.gpu_memory", "devices.memory_bytes")
    ),
    Consequence(
        "hardware.driver_version",
        Weight.RESULTS,
        older,
        "An older driver: it serves fewer versions of CUDA, compiles PTX by an older compiler, and lacks later fixes.",
        ("https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html",),
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
