"""F25: an extension needs a library that only another torch has."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A torch_sparse linked with half of what torch once split its CUDA library into; its twin with libc10."""
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site, stub

    site = Site()
    name = "libtorch_cuda_cu.so" if broken else "libc10.so"
    shared_library(
        "void sparse(void) {}",
        site.package("torch_sparse") / "_spmm_cuda.so",
        flags=stub(site.folder / ".stubs" / name, name),
    )
    return site


FAULT = Fault(
    id="F25c",
    title="An extension needs a library that this torch does not have",
    symptom="OSError: libtorch_cuda_cu.so: cannot open shared object file, when torch_scatter is imported",
    sources=("rusty1s/pytorch_scatter#205", "rusty1s/pytorch_scatter#211"),
    areas=("ENV",),
    caught_by=("environment/audit/needed",),
    says=("torch_sparse/_spmm_cuda.so", "libtorch_cuda_cu.so", "built for a torch"),
    keyword="test_audit and test_needed",
    plant=plant,
)
