"""What follows from environment variables that change behaviour."""

from __future__ import annotations

from gnnbench.history.conditions import Condition, changed, has, mentions, omits, reads
from gnnbench.history.consequence import Consequence, Weight

_CUDA = "https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html"
_TORCH = "https://docs.pytorch.org/docs/stable/cuda_environment_variables.html"
_TORCH_MISC = "https://docs.pytorch.org/docs/stable/miscellaneous_environment_variables.html"
_TUNING = "https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html"
_TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html"
_TF32 = "https://developer.nvidia.com/blog/accelerating-ai-training-with-tf32-tensor-cores/"
_OPENMP = "https://github.com/joblib/threadpoolctl/blob/master/multiple_openmp.md"
_RANDOMNESS = "https://docs.pytorch.org/docs/stable/notes/randomness.html"

#: How a switch is set.
ON = reads("1", "true", "y", "yes", "on")


def variable(name: str, weight: Weight, holds: Condition, text: str, *sources: str) -> Consequence:
    """A consequence of one environment variable."""
    return Consequence(f"variables.set.{name}", weight, holds, text, sources)


VARIABLES = (
    variable(
        "NVIDIA_VISIBLE_DEVICES",
        Weight.BREAKS,
        reads("none"),
        "The container toolkit gives the container no GPU.",
        _TOOLKIT,
    ),
    variable(
        "NVIDIA_DRIVER_CAPABILITIES",
        Weight.BREAKS,
        omits("compute"),
        "The driver's CUDA library is not put into the container: no `compute` among the capabilities.",
        _TOOLKIT,
    ),
    variable(
        "NVIDIA_DRIVER_CAPABILITIES",
        Weight.RESULTS,
        omits("utility"),
        "NVML and nvidia-smi are not put into the container: no `utility` among the capabilities.",
        _TOOLKIT,
    ),
    variable(
        "CUDA_VISIBLE_DEVICES",
        Weight.BREAKS,
        changed,
        "Other GPUs are visible, or the same in another order: `cuda:0` is another one, and there may be fewer.",
        _CUDA,
    ),
    variable(
        "CUDA_FORCE_PTX_JIT",
        Weight.BREAKS,
        ON,
        "Machine code is ignored, and a kernel without PTX can't be launched at all.",
        _CUDA,
    ),
    variable(
        "LD_PRELOAD",
        Weight.BREAKS,
        has,
        "A library is loaded before all others and can take the place of any of their functions.",
        "https://man7.org/linux/man-pages/man8/ld.so.8.html",
    ),
    variable(
        "KMP_DUPLICATE_LIB_OK",
        Weight.BREAKS,
        ON,
        "Two OpenMP runtimes in one process are let pass, which can crash, deadlock, or give wrong numbers.",
        _OPENMP,
    ),
    variable(
        "PYTORCH_CUDA_ALLOC_CONF",
        Weight.BREAKS,
        mentions(r"expandable_segments:\s*true"),
        "With expandable segments, one refused allocation can leave a process in which every later one fails.",
        "pytorch/pytorch#188008",
    ),
    variable(
        "PYTORCH_ALLOC_CONF",
        Weight.BREAKS,
        mentions(r"expandable_segments:\s*true"),
        "With expandable segments, one refused allocation can leave a process in which every later one fails.",
        "pytorch/pytorch#188008",
    ),
    *(
        variable(
            name,
            Weight.RESULTS,
            changed,
            "The allocator of GPU memory works by other rules: another peak, another largest graph.",
            "https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-memory-management",
        )
        for name in ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")
    ),
    variable(
        "NVIDIA_TF32_OVERRIDE",
        Weight.RESULTS,
        has,
        "Overrides what programs ask for: 0 keeps NVIDIA's libraries from rounding to TF32, whose error in a product is 2¹³ "
        "times that of float32. Meant for debugging.",
        _TF32,
        "pytorch/pytorch#75778",
    ),
    variable(
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
        Weight.RESULTS,
        ON,
        "Matrix products round to TF32, whatever `set_float32_matmul_precision` says; NVIDIA's own images set it.",
        _TORCH,
        "https://docs.monai.io/en/latest/precision_accelerating.html",
    ),
    variable(
        "CUBLAS_WORKSPACE_CONFIG",
        Weight.RESULTS,
        changed,
        "cuBLAS has another workspace. Only `:4096:8` and `:16:8` give the same bits in every run.",
        _RANDOMNESS,
    ),
    variable(
        "CUDA_DEVICE_ORDER",
        Weight.RESULTS,
        changed,
        "GPUs are numbered in another order: by PCI bus as nvidia-smi does, or the fastest first.",
        _CUDA,
        "pytorch/pytorch#86539",
    ),
    variable(
        "MKL_CBWR",
        Weight.RESULTS,
        changed,
        "MKL gives the same bits on other CPUs, at the price of speed, or no longer does.",
        "https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/2024-0/obtaining-numerically-reproducible-results.html",
    ),
    *(
        variable(
            name,
            Weight.RESULTS,
            has,
            "`torch.load` unpickles by another rule than the program asks for.",
            _TORCH_MISC,
        )
        for name in ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    ),
    variable(
        "CUDA_LAUNCH_BLOCKING",
        Weight.SPEED,
        ON,
        "Every kernel is waited for: nothing overlaps. Meant for debugging.",
        _CUDA,
        _TORCH,
    ),
    variable(
        "PYTORCH_NO_CUDA_MEMORY_CACHING",
        Weight.SPEED,
        ON,
        "Every tensor is a cudaMalloc of its own. Meant for debugging.",
        _TORCH,
    ),
    variable(
        "TORCH_COMPILE_DISABLE",
        Weight.SPEED,
        ON,
        "`torch.compile` compiles nothing.",
        "https://docs.pytorch.org/docs/stable/torch.compiler_troubleshooting.html",
    ),
    variable(
        "CUDA_CACHE_DISABLE",
        Weight.SPEED,
        ON,
        "What is compiled from PTX is compiled anew in every process.",
        _CUDA,
    ),
    variable(
        "CUDA_MODULE_LOADING",
        Weight.SPEED,
        changed,
        "Kernels are loaded all at the start (EAGER), which takes time and GPU memory, or each at its first launch (LAZY), "
        "which then falls into timings.",
        _CUDA,
    ),
    variable(
        "CUDA_DEVICE_MAX_CONNECTIONS",
        Weight.SPEED,
        changed,
        "Another number of hardware queues: with 1, copies and kernels of several streams wait for one another.",
        _CUDA,
    ),
    *(
        variable(
            name,
            Weight.SPEED,
            changed,
            "Kernels on the CPU run on another number of threads: too few idle CPUs, too many wait for each other.",
            _TUNING,
        )
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    ),
    *(
        variable(
            name,
            Weight.SPEED,
            changed,
            "Threads are bound to CPUs by another rule; several processes may be bound to the same ones.",
            _TUNING,
        )
        for name in ("KMP_AFFINITY", "OMP_PROC_BIND", "OMP_PLACES")
    ),
)
