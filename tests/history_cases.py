"""Pairs of documents for tests of what follows from which change.

A case is what the first document holds, what the second holds, words of a consequence, and who suffers it. Keys are those of
`Side`; what is not named is absent from both.
"""

import json

from gnnbench.record import Device, Environment, Fact, Run, RunState

_WHEELS = "/opt/venv/lib/python3.12/site-packages"
_DRIVER = "/usr/lib/x86_64-linux-gnu/libcuda.so.570.124.06"
_CUDNN = [f"{_WHEELS}/nvidia/cudnn/lib/libcudnn.so.9", f"{_WHEELS}/nvidia/cudnn/lib/libcudnn_ops.so.9"]


#: Facts whose entries are compared one by one.
_MAPPINGS = (
    "variables.set.",
    "pyg.flags.",
    "pyg.extensions.",
    "libraries.versions.",
    "hardware.nvlink.",
    "hardware.topology.",
)


def document(contents):
    """A run whose environment holds these facts, variables, packages, and GPUs."""
    facts, packages, devices, gpus, mappings = {}, {}, [], [], {}
    for key, value in contents.items():
        group, _, name = key.partition(".")
        if group == "packages" and name not in ("doubled", "fingerprint"):
            packages[name] = value
        elif group == "devices":
            for index, item in enumerate(value):
                while len(devices) <= index:
                    devices.append({"name": f"cuda:{len(devices)}", "kind": "cuda", "model": "H100"})
                devices[index][name] = item
        elif key.startswith("hardware.gpus."):
            for index, item in enumerate(value):
                while len(gpus) <= index:
                    gpus.append({"index": len(gpus)})
                gpus[index][key.rpartition(".")[2]] = item
        elif key.startswith(_MAPPINGS):
            first, second, entry = key.split(".", 2)
            mappings.setdefault(f"{first}.{second}", {})[entry] = value
        else:
            facts[key] = value
    facts |= {"hardware.gpus": gpus, "variables.set": {}} | mappings
    return Run(
        id="r",
        state=RunState.COMPLETE,
        started_at="2026-11-24T08:15:02Z",
        environment=Environment(
            facts={
                k: Fact(value=json.loads(json.dumps(v)), title=k, group=k.partition(".")[0])
                for k, v in facts.items()
            },
            devices=tuple(Device(**device) for device in devices),
            packages={"pip": "25.0", **packages},
        ),
    )


def _variables():
    for name, value, words, whose in (
        ("NVIDIA_VISIBLE_DEVICES", "none", "gives the container no GPU", "b"),
        ("NVIDIA_DRIVER_CAPABILITIES", "utility", "no `compute`", "b"),
        ("NVIDIA_DRIVER_CAPABILITIES", "compute,graphics", "no `utility`", "b"),
        ("CUDA_VISIBLE_DEVICES", "1,0", "Other GPUs are visible", "both"),
        ("CUDA_FORCE_PTX_JIT", "1", "kernel without PTX", "b"),
        ("LD_PRELOAD", "/opt/libjemalloc.so", "loaded before all others", "b"),
        ("LD_LIBRARY_PATH", "/usr/local/cuda/lib64", "looked for elsewhere first", "both"),
        ("KMP_DUPLICATE_LIB_OK", "TRUE", "Two OpenMP runtimes in one process", "b"),
        ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True", "With expandable segments", "b"),
        ("PYTORCH_ALLOC_CONF", "expandable_segments: true", "With expandable segments", "b"),
        ("PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64", "allocator of GPU memory", "both"),
        ("PYTORCH_ALLOC_CONF", "max_split_size_mb:64", "allocator of GPU memory", "both"),
        ("NCCL_SOCKET_IFNAME", "eth1", "network interfaces", "both"),
        ("NVIDIA_TF32_OVERRIDE", "0", "from rounding to TF32", "b"),
        ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1", "products round to TF32", "b"),
        ("CUBLAS_WORKSPACE_CONFIG", ":4096:8", "another workspace", "both"),
        ("CUDA_DEVICE_ORDER", "PCI_BUS_ID", "numbered in another order", "both"),
        ("MKL_CBWR", "COMPATIBLE", "MKL gives the same bits", "both"),
        ("NCCL_ALGO", "Ring", "no longer chooses by itself", "b"),
        ("NCCL_PROTO", "LL128", "no longer chooses by itself", "b"),
        ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1", "unpickles by another rule", "b"),
        ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1", "unpickles by another rule", "b"),
        ("CUDA_LAUNCH_BLOCKING", "1", "Every kernel is waited for", "b"),
        ("PYTORCH_NO_CUDA_MEMORY_CACHING", "1", "a cudaMalloc of its own", "b"),
        ("TORCH_COMPILE_DISABLE", "1", "compiles nothing", "b"),
        ("CUDA_CACHE_DISABLE", "1", "compiled anew", "b"),
        ("CUDA_MODULE_LOADING", "EAGER", "Kernels are loaded", "both"),
        ("CUDA_DEVICE_MAX_CONNECTIONS", "1", "hardware queues", "both"),
        ("NCCL_P2P_DISABLE", "1", "without this transport", "b"),
        ("NCCL_SHM_DISABLE", "1", "without this transport", "b"),
        ("NCCL_IB_DISABLE", "1", "without this transport", "b"),
        ("NCCL_P2P_LEVEL", "PIX", "up to another distance", "both"),
        ("NCCL_DEBUG", "INFO", "NCCL writes a log", "b"),
        ("OMP_NUM_THREADS", "1", "another number of threads", "both"),
        ("MKL_NUM_THREADS", "1", "another number of threads", "both"),
        ("KMP_AFFINITY", "compact", "bound to CPUs", "both"),
        ("OMP_PROC_BIND", "close", "bound to CPUs", "both"),
        ("OMP_PLACES", "cores", "bound to CPUs", "both"),
        ("TORCH_NCCL_BLOCKING_WAIT", "1", "waits for collectives", "both"),
    ):
        yield {}, {f"variables.set.{name}": value}, words, whose


def _one(key, before, after, words, whose="b", **both):
    """A case of one key; `both` are keys, with two underscores for the point, that both documents hold."""
    shared = {name.replace("__", ".").replace("_-_", "-"): value for name, value in both.items()}
    return {key: before, **shared}, {key: after, **shared}, words, whose


CASES = [
    _one("hardware.gpu_models", ["H100"], [], "No GPU is in use"),
    ({"devices.model": ["H100"]}, {}, "No GPU is in use", "b"),
    _one("cuda.init", "CUDA_SUCCESS", "CUDA_ERROR_NO_DEVICE", "can't be initialised"),
    _one("cuda.init", "CUDA_SUCCESS", None, "can't be initialised"),
    _one("hardware.gpu_models", ["H100", "H100"], ["H100"], "Fewer GPUs"),
    _one("devices.model", ["H100", "H100"], ["H100"], "Fewer GPUs"),
    _one("hardware.gpu_count", 4, 2, "Fewer GPUs"),
    _one("cuda.driver_library", _DRIVER, "/usr/local/cuda-12.8/compat/libcuda.so.1", "image's own"),
    _one("cuda.driver_library", _DRIVER, None, "no driver library"),
    _one("hardware.gpus.mig", [False, False], [True, False], "MIG is on"),
    _one("hardware.mig", [False], [True], "MIG is on"),
    _one("hardware.gpus.compute_mode", [0, 0], [0, 3], "one process use a GPU"),
    _one("hardware.gpus.ecc", [True, True], [True, False], "ECC is off"),
    _one("hardware.ecc", [True], [False], "ECC is off"),
    _one("hardware.gpus.persistence_mode", [1], [0], "Persistence mode is off"),
    _one("hardware.persistence", [True], [False], "Persistence mode is off"),
    _one("hardware.power_limit", 700.0, 500.0, "lower power limit"),
    _one("hardware.pcie_width", 16, 8, "fewer lanes"),
    *(
        _one(f"hardware.{of}{name}", *values, "older generation")
        for name in ("pcie_width_max", "pcie_generation_max")
        for of, values in (("gpus.", ([5, 16], [5, 4])), ("", (16, 4)))
    ),
    *(
        _one(f"hardware.{of}{name}", *values, "can't rise as high")
        for name in ("clock_sm_max", "clock_memory_max")
        for of, values in (("gpus.", ([1980], [1755])), ("", (1980, 1755)))
    ),
    _one("hardware.nvlink.0", {"1": 4, "switch": 2}, {"1": 3, "switch": 2}, "Fewer NVLinks"),
    _one("hardware.topology.0", {"1": "NV4"}, {"1": "SYS"}, "connected in another way", "both"),
    _one("hardware.peer_access", [[None, True], [True, None]], [[None, False], [True, None]], "Fewer pairs"),
    _one("hardware.gpu_memory", 80, 40, "Less GPU memory"),
    _one("libraries.versions.libcusparse.so.12", "12.8.0", "12.5.4", "CUSPARSE_STATUS_INTERNAL_ERROR"),
    _one(
        "libraries.versions.libcusparse.so.12", "12.5.4", "12.5.8", "library of CUDA that is loaded", "both"
    ),
    _one("libraries.versions.libnccl.so.2", "2.27.3", "2.19.3", "NCCL that is loaded is older"),
    _one("libraries.versions.libcudnn_ops.so.9", "9.10.2", "9.13.0", "cuDNN that is loaded", "both"),
    _one("pyg.error", None, "ImportError: no", "can't be imported"),
    _one("pyg.warnings", ["old"], ["old", "Disabling its usage"], "warns of what it did not"),
    _one("hardware.gpu_models", ["A100"], ["H100"], "Another model", "both"),
    _one("devices.model", ["A100"], ["H100"], "Another model", "both"),
    _one("hardware.capabilities", ["9.0", "9.0"], ["9.0", "7.5"], "lower compute capability"),
    _one("hardware.gpus.capability", ["10.0"], ["9.0"], "lower compute capability"),
    _one("devices.capability", ["10.0"], ["9.0"], "lower compute capability"),
    _one("hardware.gpus.memory_bytes", [80, 80], [80, 40], "Less GPU memory"),
    _one("devices.memory_bytes", [80], [40], "Less GPU memory"),
    _one("hardware.driver_version", "570.124.06", "550.54.15", "An older driver"),
    _one("cuda.driver_cuda_version", "12.8", "12.4", "fewer versions of CUDA"),
    _one("hardware.gpus.power_limit", [700.0], [500.0], "lower power limit"),
    _one("hardware.gpus.pcie_width", [16, 16], [16, 8], "fewer lanes"),
    _one("nccl.transport", ["P2P", "SHM"], ["SHM"], "without a transport"),
    _one("hardware.cpu_model", "EPYC 7763", "EPYC 9554", "Another CPU", "both"),
    _one("torch.cuda", "12.8", None, "built without CUDA"),
    _one("torch.hip", None, "6.2", "built for ROCm"),
    _one(
        "torch.arch_list",
        ["sm_90", "sm_120"],
        ["sm_80", "sm_120"],
        "no code for a GPU",
        devices__capability=["9.0"],
    ),
    (
        {"hardware.gpu_models": ["H100"], "devices.capability": ["9.0"], "torch.arch_list": ["sm_90"]},
        {"hardware.gpu_models": ["B200"], "devices.capability": ["10.0"], "torch.arch_list": ["sm_90"]},
        "no code for a GPU",
        "b",
    ),
    _one("torch.arch_list", ["sm_70", "sm_90"], ["sm_90"], "run only from PTX"),
    _one("torch.arch_list", ["sm_70", "sm_90"], ["sm_90"], "are still served", devices__capability=["9.0"]),
    _one("torch.cuda", "12.8", "13.0", "no CUDA of the major version", cuda__driver_cuda_version="12.8"),
    _one("cuda.driver_cuda_version", "12.8", "11.8", "no CUDA of the major version", torch__cuda="12.8"),
    _one("torch.cuda", "12.8", "12.9", "older than the toolkit", cuda__driver_cuda_version="12.8"),
    _one("cuda.driver_cuda_version", "12.8", "12.4", "older than the toolkit", torch__cuda="12.8"),
    _one("torch.cuda", "12.8", "13.0", "the other major version", "both"),
    _one("torch.cuda", "12.6", "12.8", "cuBLAS, cuSPARSE", "both"),
    _one("torch.cuda", "13.2", "13.0", "2²⁰ columns"),
    _one("torch.cuda", "13.3", "13.2", "CUSPARSE_STATUS_INTERNAL_ERROR"),
    (
        {"torch.version": "2.8.0", "packages.torch-scatter": "2.1.2"},
        {"torch.version": "2.9.0", "packages.torch-scatter": "2.1.2"},
        "compiled extensions of PyTorch Geometric stayed",
        "both",
    ),
    (
        {"torch.version": "2.4.0", "packages.dgl": "2.4.0"},
        {"torch.version": "2.4.1", "packages.dgl": "2.4.0"},
        "DGL stayed",
        "both",
    ),
    _one("torch.version", "2.5.1", "2.6.0", "weights_only"),
    _one("torch.version", "2.8.0+cu126", "2.9.0+cu126", "order of summation, and defaults", "both"),
    _one("torch.version", "2.8.0+cu126", "2.8.0+cpu", "for the CPU alone"),
    _one("packages.torch", "2.8.0+cu126", "2.8.0+cpu", "for the CPU alone"),
    _one("torch.version", "2.8.0", "2.8.1", "not promised across releases", "both"),
    _one("torch.cxx11_abi", False, True, "C++ ABI", "both"),
    _one("torch.cudnn", "8.9.2", "9.1.0", "the soname of the other", "both"),
    _one("torch.cudnn", "9.10.2", "9.13.0", "Convolutions may take", "both"),
    _one("packages.nvidia-cudnn-cu12", "9.10.2.21", "9.13.0.50", "the cuDNN that torch loads", "both"),
    _one("packages.nvidia-nccl-cu12", "2.27.3", "2.19.3", "An older NCCL"),
    (
        {"packages.nvidia-cudnn-cu12": "9.10"},
        {"packages.nvidia-cudnn-cu12": "9.10", "packages.nvidia-cudnn-cu11": "9.10"},
        "two majors of CUDA",
        "b",
    ),
    _one("torch.nccl", "2.27.3", "2.19.3", "NCCL is older"),
    _one("torch.nccl", "2.27.3", "2.28.0", "rings, trees", "both"),
    _one("torch.debug", False, True, "debug build"),
    _one("torch.commit", "abc", "def", "another commit", "both", torch__version="2.8.0"),
    _one("torch.blas", "mkl", "open", "another BLAS", "both"),
    _one("torch.cpu_capability", "AVX512", "AVX2", "vector instructions", "both"),
    _one("libraries.mapped", _CUDNN, [*_CUDNN, "/usr/lib/libcudnn_ops.so.9"], "loaded twice"),
    _one(
        "libraries.mapped",
        ["/a/libcudart.so.12"],
        ["/a/libcudart.so.12", "/b/libcudart.so.11.0"],
        "loaded twice",
    ),
    _one("libraries.mapped", _CUDNN, [_CUDNN[0], "/usr/lib/libcudnn_ops.so.9"], "from several folders"),
    _one(
        "libraries.mapped",
        ["/a/libgomp-a34b3233.so.1"],
        ["/a/libgomp-a34b3233.so.1", "/b/libiomp5.so"],
        "Two OpenMP",
    ),
    *(
        (
            {
                "torch.version": "2.8.0+cu126",
                "packages.torch": "2.8.0+cu126",
                f"packages.{name}": "0.23.0+cu126",
            },
            {"torch.version": "2.8.0+cu128", "packages.torch": "2.8.0+cu128", f"packages.{name}": other},
            "not of one build",
            "b",
        )
        for name in ("torchvision", "torchaudio")
        for other in ("0.23.0+cu126", "0.23.1+cpu")
    ),
    _one("packages.numpy", "1.26.4", "2.4.0", "NumPy's ABI", "both"),
    ({"packages.numpy": "2.4.0"}, {}, "`Tensor.numpy()`", "b"),
    ({"packages.torch-geometric": "2.6.1"}, {}, "not installed", "b"),
    _one("packages.torch-geometric", "2.6.1", "2.7.0", "three answers", "both"),
    *(
        ({f"packages.{name}": "2.1.2"}, {}, "does not say so", "b")
        for name in ("pyg-lib", "torch-scatter", "torch-sparse", "torch-cluster", "torch-spline-conv")
    ),
    _one("pyg.flags.WITH_TORCH_SPARSE", True, False, "without this path"),
    _one(
        "pyg.extensions.torch_scatter", "works", "OSError: undefined symbol: f", "installed and does not work"
    ),
    ({"packages.triton": "3.4.0", "torch.cuda": "12.8"}, {"torch.cuda": "12.8"}, "needs Triton", "b"),
    _one("packages.triton", "3.4.0", "3.5.0", "Triton did not", "both", packages__torch="2.8.0"),
    _one("packages.doubled", {}, {"numpy": ["1.26.4", "2.0.0"]}, "recorded twice"),
    _one("python.version", "3.11.7", "3.12.3", "one minor version of Python", "both"),
    _one("python.bits", 64, 32, "32 bits"),
    _one("system.machine", "x86_64", "aarch64", "Another kind of CPU", "both"),
    _one("system.libc", "glibc 2.36", "glibc 2.31", "C library is older"),
    _one("limits.shm_size", 2**30, 2**26, "Less than 1 GiB"),
    _one("limits.shm_size", 2**32, 2**31, "Less shared memory"),
    _one("limits.memlock", "unlimited", 2**23, "Less memory may be locked"),
    _one("limits.cgroup_memory", "unlimited", 2**33, "the kernel kills a process"),
    _one("limits.address_space", "unlimited", 2**36, "Address space is limited"),
    _one("limits.nofile", 1048576, 1024, "Fewer open files"),
    _one("limits.processes", "unlimited", 512, "Fewer processes"),
    _one("hardware.memory", 2**38, 2**36, "less memory"),
    _one("limits.cgroup_cpus", "unlimited", 1.5, "less CPU time"),
    _one("hardware.usable_cpus", 64, 8, "Fewer CPUs"),
    _one("torch.threads", 2, 4, "number of threads", "both"),
    *_variables(),
]

#: Changes of which nothing is to be said, though their keys have consequences: the clean twins.
HARMLESS = [
    _one("hardware.gpu_models", ["H100"], ["H100", "H100"], "No GPU"),
    _one("limits.shm_size", 2**31, 2**32, "1 GiB"),
    _one("limits.shm_size", 2**25, 2**26, "Less than 1 GiB"),
    _one("torch.version", "2.6.0", "2.9.0", "weights_only"),
    _one("torch.version", "2.9.0", "2.9.1", "order of summation, and defaults"),
    _one("torch.cuda", "12.4", "12.8", "CUSPARSE"),
    _one("torch.cuda", "12.4", "12.8", "no CUDA of the major version", cuda__driver_cuda_version="13.0"),
    _one(
        "torch.arch_list",
        ["sm_80", "sm_120"],
        ["sm_80", "compute_80"],
        "no code",
        devices__capability=["9.0"],
    ),
    _one("libraries.mapped", _CUDNN, [path.replace("/opt", "/srv") for path in _CUDNN], "loaded"),
    _one("variables.set.CUDA_LAUNCH_BLOCKING", "0", "", "waited for"),
    _one("variables.set.NVIDIA_DRIVER_CAPABILITIES", "all", "compute,utility", "capabilities"),
    _one("variables.set.PYTORCH_CUDA_ALLOC_CONF", "a:1", "expandable_segments:False", "expandable"),
    _one("packages.numpy", "2.3.1", "2.4.0", "ABI"),
    _one("packages.nvidia-cudnn-cu12", "9.1.0", "9.2.0", "two majors"),
    _one("hardware.gpus.mig", [None, False], [False, None], "MIG is on"),
    _one("hardware.gpus.ecc", [True, None], [True, True], "ECC is off"),
    _one("hardware.gpus.persistence_mode", [None], [0], "Persistence"),
    _one("hardware.gpus.pcie_generation", [5], [1], "generation"),
    _one("hardware.nvlink.0", {"1": 4}, {"1": 4, "2": 4}, "Fewer NVLinks"),
    _one("pyg.warnings", ["a", "b"], ["b"], "warns"),
    _one("libraries.versions.libcudnn.so.9", "9.1.0", "9.2.0", "library of CUDA"),
    _one("torch.commit", "abc", "def", "promised"),
    (
        {"torch.version": "2.8.0", "packages.torch-scatter": "2.1.2+pt28"},
        {"torch.version": "2.9.0", "packages.torch-scatter": "2.1.2+pt29"},
        "stayed",
        "both",
    ),
]
