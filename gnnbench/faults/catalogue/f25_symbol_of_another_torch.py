"""F25: an extension wants a symbol that the torch which is installed does not have."""

from __future__ import annotations

from gnnbench.faults.fault import Fault

#: In torch until 1.8, and since then nowhere.
_GONE = "_ZN6caffe28TypeMeta21_typeMetaDataInstanceIdEEPKNS_6detail12TypeMetaDataEv"


def plant(broken: bool) -> object:
    """A torch_scatter that calls what old torch had; its twin calls what this one has."""
    from gnnbench.environment.audit import inventory
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site, stub

    c10 = inventory().loader.loaded["libc10.so"].elf
    there = min(name.decode() for name in c10.defined if name.startswith(b"_ZN3c10"))
    site = Site()
    wanted = _GONE if broken else there
    shared_library(
        f"extern void {wanted}(void); void scatter(void) {{ {wanted}(); }}",
        site.package("torch_scatter", "2.0.7") / "_scatter_cpu.so",
        flags=stub(site.folder / ".stubs" / "libc10.so", "libc10.so"),
    )
    return site


FAULT = Fault(
    id="F25",
    title="An extension was built for another torch",
    symptom="undefined symbol in torch_scatter and torch_sparse, when they are imported",
    sources=("rusty1s/pytorch_sparse#250", "rusty1s/pytorch_sparse#395", "rusty1s/pytorch_scatter#476"),
    areas=("ENV",),
    caught_by=("environment/audit/symbols",),
    says=(
        "undefined symbol",
        "_typeMetaDataInstance",
        "torch_scatter/_scatter_cpu.so",
        "built for another torch",
    ),
    keyword="test_audit and test_symbols",
    plant=plant,
)
