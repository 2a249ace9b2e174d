"""What follows from another build of torch and of CUDA."""

from __future__ import annotations

from gnnbench.history.conditions import (
    alone,
    before,
    both,
    changed,
    flagged,
    gained,
    keeps,
    lacks,
    lost_entry,
    mentions,
    since,
    stepped,
    unless,
    where,
)
from gnnbench.history.consequence import Consequence, Weight
from gnnbench.history.consequences.packages import EXTENSIONS
from gnnbench.history.states import architecture_missing, driver_behind, driver_too_old, mixed_builds, served

_COMPATIBILITY = "https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html"
_RANDOMNESS = "https://docs.pytorch.org/docs/stable/notes/randomness.html"
_ACCURACY = "https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html"

BUILD = (
    Consequence(
        "torch.cuda",
        Weight.BREAKS,
        lacks,
        "torch is built without CUDA: no GPU is used, and code that falls back to the CPU is merely slow.",
        ("pyg-team/pytorch_geometric#738",),
    ),
    Consequence(
        "torch.hip",
        Weight.BREAKS,
        gained,
        "torch is built for ROCm: compiled extensions for CUDA can't be loaded, and NVIDIA GPUs are not used.",
        ("https://docs.pytorch.org/docs/stable/notes/hip.html",),
    ),
    *(
        Consequence(
            key,
            Weight.BREAKS,
            alone(architecture_missing),
            'torch holds no code for a GPU of this machine: "no kernel image is available for execution on the device".',
            ("pytorch/pytorch#149845", "pytorch/pytorch#167244"),
        )
        for key in ("torch.arch_list", "hardware.gpu_models")
    ),
    *(
        Consequence(
            key,
            Weight.BREAKS,
            alone(driver_too_old),
            "The driver serves no CUDA of the major version that torch is built for: CUDA can't be initialised without a "
            "cuda-compat package, which only data-centre GPUs support.",
            (_COMPATIBILITY, "NVIDIA/nvidia-docker#1256"),
        )
        for key in ("torch.cuda", "cuda.driver_cuda_version")
    ),
    Consequence(
        "torch.cuda",
        Weight.BREAKS,
        stepped("major"),
        "Extensions compiled for the other major version of CUDA can't be loaded: `libcudart.so` and its like are "
        "other libraries. Install builds for this one.",
        (_COMPATIBILITY, "pytorch/pytorch#147001"),
    ),
    Consequence(
        "torch.version",
        Weight.BREAKS,
        both(stepped("major", "minor"), keeps(EXTENSIONS)),
        "torch is another and compiled extensions of PyTorch Geometric stayed: built for the other, they end with "
        '"undefined symbol", or PyG says "Disabling its usage" and takes another path.',
        ("rusty1s/pytorch_scatter#248", "pyg-team/pytorch_geometric#9682"),
    ),
    Consequence(
        "torch.version",
        Weight.BREAKS,
        both(stepped("major", "minor", "patch"), keeps(("packages.dgl",))),
        "torch is another and DGL stayed: its libraries are named by the full version of torch, and are not found "
        'for others ("Cannot find DGL C++ graphbolt library").',
        ("dmlc/dgl#7822",),
    ),
    Consequence(
        "torch.version",
        Weight.BREAKS,
        since("2.6"),
        "`torch.load` refuses what is not weights unless told otherwise (`weights_only=True` since 2.6): data sets that "
        "others cached as pickles don't load.",
        ("snap-stanford/ogb#497", "pyg-team/pytorch_geometric#9618"),
    ),
    Consequence(
        "torch.version",
        Weight.RESULTS,
        stepped("major", "minor"),
        "Kernels, their order of summation, and defaults may be others: expect other low bits, and compare seeds and "
        "golden values anew.",
        (_RANDOMNESS,),
    ),
    *(
        Consequence(
            key,
            Weight.BREAKS,
            mentions(r"\+cpu\b"),
            "torch is built for the CPU alone: no GPU is used, and code that falls back to the CPU is merely slow.",
            ("pyg-team/pytorch_geometric#738",),
        )
        for key in ("torch.version", "packages.torch")
    ),
    Consequence(
        "torch.version",
        Weight.RESULTS,
        stepped("patch", "build"),
        "Completely reproducible results are not promised across releases or commits of torch.",
        (_RANDOMNESS,),
    ),
    Consequence(
        "torch.arch_list",
        Weight.BREAKS,
        unless(lost_entry, served),
        "torch is built for fewer architectures. GPUs of those that are gone run only from PTX, if there is any, which "
        "is compiled at first use.",
        ("Comfy-Org/ComfyUI#16438", "pytorch/pytorch#149845"),
    ),
    Consequence(
        "torch.arch_list",
        Weight.RESULTS,
        both(lost_entry, served),
        "torch is built for fewer architectures. The GPUs of this machine are still served; others may not be.",
        ("Comfy-Org/ComfyUI#16438", "pytorch/pytorch#149845"),
    ),
    Consequence(
        "torch.cxx11_abi",
        Weight.BREAKS,
        changed,
        "The C++ ABI of torch is another: extensions built for the other end with an undefined symbol that holds "
        "`std::string`.",
        ("pytorch/pytorch#152790", "pytorch/pytorch#51039"),
    ),
    Consequence(
        "torch.cuda",
        Weight.BREAKS,
        before("13.2"),
        "cuSPARSE before CUDA 13.2 may leave zeros where a sparse product has more than 2²⁰ columns.",
        ("cupy/cupy#9862",),
    ),
    *(
        Consequence(
            key,
            Weight.RESULTS,
            alone(driver_behind),
            "The driver is older than the toolkit that torch is built with: it runs, but PTX of that toolkit, which Triton "
            "and run-time compilation emit, may be refused.",
            (_COMPATIBILITY,),
        )
        for key in ("torch.cuda", "cuda.driver_cuda_version")
    ),
    Consequence(
        "torch.cuda",
        Weight.RESULTS,
        stepped("minor", "patch"),
        "cuBLAS, cuSPARSE and their like are others: another order of summation, other low bits, another speed.",
        ("https://docs.nvidia.com/cuda/cublas/#results-reproducibility",),
    ),
    Consequence(
        "torch.debug",
        Weight.SPEED,
        flagged,
        "A debug build of torch is many times slower.",
        ("https://github.com/pytorch/pytorch/blob/main/CONTRIBUTING.md",),
    ),
    Consequence(
        "torch.commit",
        Weight.RESULTS,
        where("torch.version", lambda mine, other, key: mine.text(key) == other.text(key)),
        "The same version of torch, built from another commit: a vendor's build, or a nightly.",
        (_RANDOMNESS,),
    ),
    Consequence(
        "torch.blas",
        Weight.RESULTS,
        changed,
        "Matrix products on the CPU come from another BLAS: other low bits, another speed.",
        (_ACCURACY,),
    ),
    Consequence(
        "torch.cpu_capability",
        Weight.RESULTS,
        changed,
        "Kernels on the CPU use other vector instructions: sums of another order, another speed.",
        (_ACCURACY,),
    ),
    *(
        Consequence(
            key,
            Weight.BREAKS,
            alone(mixed_builds),
            'torch, torchvision and torchaudio are not of one build: "operator torchvision::nms does not exist".',
            ("pytorch/vision#8985", "pytorch/pytorch#157648"),
        )
        for key in ("torch.version", "packages.torchvision", "packages.torchaudio")
    ),
)
