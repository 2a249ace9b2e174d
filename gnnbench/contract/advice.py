"""What to run or change where a fact is not what a contract asks for."""

from __future__ import annotations

#: Fact or group of facts → what to do. The longest beginning that fits is taken.
_FIXES = {
    "container": "start the container from the image, and as the user, that the contract was made for",
    "cuda.driver_cuda_version": "install a newer NVIDIA driver on the host; the image can't bring one",
    "extensions": "install the extension anew for this torch, from https://data.pyg.org/whl",
    "hardware.capabilities": "start it on a machine with such GPUs: `nvidia-smi --query-gpu=name,compute_cap --format=csv`",
    "hardware.driver_version": "install a newer NVIDIA driver on the host; the image can't bring one",
    "hardware.gpu": "start the container with `--gpus all`; look at CUDA_VISIBLE_DEVICES, and at `nvidia-smi -L` on the host",
    "hardware": "start it on a larger machine, or give the container more of it",
    "libraries": "install torch anew with the NVIDIA packages that it names; take other copies off LD_LIBRARY_PATH",
    "limits.address_space": "raise `ulimit -v` where it was lowered",
    "limits.cgroup_cpus": "start the container with more `--cpus`, or raise the limit of its pod",
    "limits.cgroup_memory": "start the container with more `--memory`, or raise the limit of its pod",
    "limits.memlock": "start the container with `--ulimit memlock=-1`",
    "limits.nofile": "start the container with `--ulimit nofile=65536:65536`",
    "limits.shm_size": "start the container with a larger `--shm-size`, such as `--shm-size=8g`, or with `--ipc=host`",
    "nccl.transport": "look at NCCL_P2P_DISABLE, NCCL_SHM_DISABLE and NCCL_IB_DISABLE, at `--ipc=host`, and at "
    "`nvidia-smi topo -m`",
    "nccl": "install the NCCL that this torch was built with: `pip install --force-reinstall torch`",
    "pyg": "install PyTorch Geometric's extensions anew for this torch, from https://data.pyg.org/whl",
    "python": "build the image with the Python that the contract names",
    "system": "build the image from the base that the contract was made for",
    "torch": "install the build of torch that the contract names: https://pytorch.org/get-started/locally",
}


def advice(key: str) -> str:
    """What to do where the fact `key` is not as asked for; empty where nothing is known."""
    fitting = [beginning for beginning in _FIXES if key.startswith(beginning)]
    return _FIXES[max(fitting, key=len)] if fitting else ""
