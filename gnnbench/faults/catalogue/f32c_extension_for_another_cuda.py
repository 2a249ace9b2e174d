"""F32: an extension brings the CUDA runtime of another version than torch's."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A torch for CUDA 12, and a torch_cluster linked with CUDA 11, whose runtime is there too; its twin with 12."""
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site, stub

    site = Site()
    site.torch("12.6", ["sm_90"])
    name = "libcudart.so.11.0" if broken else "libcudart.so.12"
    shared_library(
        "void cluster(void) {}",
        site.package("torch_cluster") / "_version_cuda.so",
        flags=stub(site.folder / "nvidia" / "lib" / name, name),
    )
    return site


FAULT = Fault(
    id="F32c",
    title="An extension was built for another CUDA than torch",
    symptom="two CUDA runtimes in one process, or libcudart.so.11.0 that can't be found",
    sources=("rusty1s/pytorch_scatter#211", "pytorch/pytorch#147001"),
    areas=("ENV",),
    caught_by=("environment/audit/cuda",),
    says=("torch_cluster/_version_cuda.so", "libcudart.so.11.0", "12.6"),
    keyword="test_audit and test_cuda",
    plant=plant,
)
