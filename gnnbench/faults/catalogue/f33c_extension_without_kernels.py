"""F33: an extension was built on a machine without a GPU, and so for the CPU, beside a torch for CUDA."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A torch for CUDA, and a torch_linear_assignment without a kernel; its twin has one."""
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site, device_code

    site = Site()
    site.torch("12.6", ["sm_90"])
    shared_library(
        "void _ZN5torch4planEv(void) {}" + ("" if broken else device_code([["sm_90"]])),
        site.package("torch_linear_assignment") / "_backend.so",
        flags=["-nostdlib"],
    )
    return site


FAULT = Fault(
    id="F33c",
    title="An extension was built for the CPU, beside a torch for CUDA",
    symptom="docker build has no GPU, so setup.py leaves the kernels out: FORCE_CUDA=1",
    sources=("ivan-chai/torch-linear-assignment#29", "pyg-team/pytorch_geometric#738"),
    areas=("ENV",),
    caught_by=("environment/audit/kernels",),
    says=("torch_linear_assignment", "built without CUDA", "FORCE_CUDA=1"),
    keyword="test_audit and test_kernels",
    plant=plant,
)
