"""What follows from other libraries that are loaded: cuDNN, NCCL, cuSPARSE, OpenMP, and copies of them."""

from __future__ import annotations

from gnnbench.history.conditions import alone, before, changed, older, stepped, unless
from gnnbench.history.consequence import Consequence, Weight
from gnnbench.history.side import Side
from gnnbench.history.states import scattered_cudnn, several_copies, several_openmp


def about_cudnn(_mine: Side, _other: Side, key: str) -> bool:
    """The key is one of cuDNN's."""
    return ".libcudnn" in key


LIBRARIES = (
    Consequence(
        "torch.cudnn",
        Weight.BREAKS,
        stepped("major"),
        "Whatever else uses cuDNN wants the soname of the other major version.",
        ("pytorch/pytorch#80637",),
    ),
    Consequence(
        "torch.cudnn",
        Weight.RESULTS,
        stepped("major", "minor", "patch", "build"),
        "Convolutions may take other kernels. A cuDNN found first through `LD_LIBRARY_PATH` must be of the version that "
        "torch was built for.",
        ("pytorch/pytorch#80637", "pytorch/pytorch#188892"),
    ),
    Consequence(
        "packages.nvidia-cudnn-cu*",
        Weight.RESULTS,
        changed,
        "This is the cuDNN that torch loads. Parts of another release beside it end in "
        "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH at the first convolution.",
        ("pytorch/pytorch#188892",),
    ),
    Consequence(
        "packages.nvidia-nccl-cu*",
        Weight.BREAKS,
        older,
        "An older NCCL may lack a symbol that torch was linked against, or not know the GPU.",
        ("pytorch/pytorch#119932", "NVIDIA/nccl#1637"),
    ),
    Consequence(
        "torch.nccl",
        Weight.BREAKS,
        older,
        "NCCL is older: it may be too old for the GPU. Ranks of one job must run the same version.",
        ("NVIDIA/nccl#1637", "NVIDIA/nccl#1328"),
    ),
    Consequence(
        "torch.nccl",
        Weight.RESULTS,
        stepped("major", "minor", "patch", "build"),
        "NCCL chooses rings, trees and protocols by its own tables: other low bits of sums over ranks, another speed. "
        "Ranks of one job must run the same version.",
        ("NVIDIA/nccl#1328",),
    ),
    Consequence(
        "libraries.mapped",
        Weight.BREAKS,
        alone(several_copies),
        "A library is loaded twice, from two places or in two major versions. Two copies of cuDNN, NCCL or the CUDA "
        "runtime do not know of each other.",
        ("pytorch/pytorch#119932", "pytorch/pytorch#186591", "rapidsai/cugraph#4465"),
    ),
    Consequence(
        "libraries.mapped",
        Weight.BREAKS,
        alone(scattered_cudnn),
        "cuDNN is loaded from several folders: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH unless all are of one release.",
        ("pytorch/pytorch#188892", "pytorch/pytorch#185512"),
    ),
    Consequence(
        "libraries.mapped",
        Weight.SPEED,
        alone(several_openmp),
        "Two OpenMP runtimes are loaded: each has threads of its own, and Intel's beside LLVM's can deadlock.",
        ("https://github.com/joblib/threadpoolctl/blob/master/multiple_openmp.md",),
    ),
    *(
        Consequence(
            key,
            Weight.BREAKS,
            before(version),
            "cuSPARSE before 12.8.0 (CUDA 13.3) fails with CUSPARSE_STATUS_INTERNAL_ERROR on matrices of about 2³¹ entries "
            "and more.",
            ("JuliaGPU/CUDA.jl#2555", "cupy/cupy#9490"),
        )
        for key, version in (("libraries.versions.libcusparse.so.*", "12.8.0"), ("torch.cuda", "13.3"))
    ),
    Consequence(
        "libraries.versions.libnccl.so.*",
        Weight.BREAKS,
        older,
        "The NCCL that is loaded is older: it may be too old for the GPU, or lack a symbol that torch was linked against.",
        ("NVIDIA/nccl#1637", "pytorch/pytorch#119932"),
    ),
    Consequence(
        "libraries.versions.libcudnn*",
        Weight.RESULTS,
        changed,
        "The cuDNN that is loaded is another: other kernels of convolutions. All its parts must be of one release.",
        ("pytorch/pytorch#188892",),
    ),
    Consequence(
        "libraries.versions.libcu*",
        Weight.RESULTS,
        unless(changed, about_cudnn),
        "A library of CUDA that is loaded is another: other order of summation, other low bits, another speed.",
        ("https://docs.nvidia.com/cuda/cublas/#results-reproducibility",),
    ),
)
