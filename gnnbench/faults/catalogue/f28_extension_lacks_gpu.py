"""F28: an extension holds no code for the GPU that the image is for."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A torch for H100, and a torch_scatter that was built for A100 alone; its twin for both."""
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site, device_code

    site = Site()
    site.torch("12.6", ["sm_80", "sm_90"])
    built = ["sm_80"] if broken else ["sm_80", "sm_90"]
    # Of two files of source, for an architecture must not be found in the first one alone.
    shared_library(
        device_code([["sm_80"], built]),
        site.package("torch_scatter") / "_scatter_cuda.so",
        flags=["-nostdlib"],
    )
    return site


FAULT = Fault(
    id="F28",
    title="An extension holds no code for the GPU that the image is for",
    symptom="RuntimeError: CUDA error: no kernel image is available for execution on the device",
    sources=("pytorch/pytorch#31285", "pytorch/pytorch#149845", "pytorch/pytorch#167244"),
    areas=("ENV",),
    caught_by=("environment/audit/target",),
    says=("torch_scatter/_scatter_cuda.so", "sm_90", "sm_80", "no kernel image"),
    options=("--gnnbench-target=sm_90",),
    keyword="test_audit and test_target",
    plant=plant,
)
