"""F45: NCCL is older than the GPU."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """NCCL 2.25.1, or 2.26.2, and a GPU of compute capability 12.0."""
    import tempfile
    from pathlib import Path

    from gnnbench.faults.children import first_on_path
    from gnnbench.faults.fake_gpus import installed, sound
    from gnnbench.faults.native import shared_library

    installed({**sound(1), "cuda0.major": 12, "cuda0.minor": 0, "gpu0.major": 12})
    folder = Path(tempfile.mkdtemp(prefix="gnnbench-nccl-"))
    number = 22501 if broken else 22602
    source = f"int ncclGetVersion(int *version) {{ *version = {number}; return 0; }}"
    shared_library(source, folder / "libnccl.so.2", soname="libnccl.so.2")
    first_on_path(folder, "LD_LIBRARY_PATH")


FAULT = Fault(
    id="F45",
    title="NCCL is too old for the GPU",
    symptom="`ncclMaxSharedMem exceeds device/fn maxSharedMem` and an unhandled CUDA error on an RTX 5090",
    sources=("NVIDIA/nccl#1637",),
    areas=("DIST", "ENV"),
    caught_by=("environment/libraries/nccl_serves",),
    says=("NCCL 2.25.1 is too old for GPUs of compute capability 12.0", "NCCL 2.26 or later"),
    keyword="libraries and nccl_serves",
    plant=plant,
)
