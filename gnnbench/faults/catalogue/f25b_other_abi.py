"""F25: an extension was compiled with the other C++ ABI than torch."""

from __future__ import annotations

from gnnbench.faults.fault import Fault

_CALL = "_ZN3c106detail23torchInternalAssertFailEPKcS2_jS2_RK"
_NEW = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
_OLD = "Ss"


def plant(broken: bool) -> object:
    """A torch_cluster that hands torch a std::string as the other ABI has it; its twin's is torch's own."""
    from gnnbench.environment.audit import inventory
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site, stub

    c10 = inventory().loader.loaded["libc10.so"].elf
    own, other = (_NEW, _OLD) if f"{_CALL}{_NEW}".encode() in c10.defined else (_OLD, _NEW)
    site = Site()
    wanted = _CALL + (other if broken else own)
    shared_library(
        f"extern void {wanted}(void); void cluster(void) {{ {wanted}(); }}",
        site.package("torch_cluster") / "_version_cpu.so",
        flags=stub(site.folder / ".stubs" / "libc10.so", "libc10.so"),
    )
    return site


FAULT = Fault(
    id="F25b",
    title="An extension was compiled with the other C++ ABI than torch",
    symptom="undefined symbol: _ZN5torch3jit17parseSchemaOrNameERKSs, from wheels that claim this very torch",
    sources=("pyg-team/pytorch_geometric#8128", "pyg-team/pytorch_geometric#7220"),
    areas=("ENV",),
    caught_by=("environment/audit/symbols",),
    says=("undefined symbol", "torchInternalAssertFail", "_GLIBCXX_USE_CXX11_ABI"),
    keyword="test_audit and test_symbols",
    plant=plant,
)
