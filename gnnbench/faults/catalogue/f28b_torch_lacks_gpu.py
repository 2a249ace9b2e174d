"""F28: torch dropped the GPU that the image is for."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A torch of CUDA 13, which begins with Turing, for V100; its twin has PTX that V100 can run."""
    from gnnbench.faults.site import Site

    site = Site()
    site.torch("13.0", ["sm_75", "sm_80", "sm_90", "sm_120", *([] if broken else ["compute_70"])])
    return site


FAULT = Fault(
    id="F28b",
    title="torch holds no code for the GPU that the image is for",
    symptom="builds for CUDA 13 drop GPUs older than Turing, and tell it at the first kernel",
    sources=("Comfy-Org/ComfyUI#16438", "pytorch/pytorch#31285"),
    areas=("ENV",),
    caught_by=("environment/audit/target",),
    says=("torch/lib/libtorch_cuda.so", "sm_70", "sm_75", "no kernel image"),
    options=("--gnnbench-target=V100",),
    keyword="test_audit and test_target",
    plant=plant,
)
