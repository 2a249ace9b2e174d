"""F27: a wheel was built on a system with a newer C library."""

from __future__ import annotations

from gnnbench.faults.fault import Fault

_NEWER = "GLIBC_2.99"


def plant(broken: bool) -> object:
    """A pyg_lib that wants a function in a version to come; its twin wants the oldest one."""
    from gnnbench.environment.audit import Loader
    from gnnbench.environment.audit.versions import version_key
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site, stub

    offered = Loader().loaded["libc.so.6"].elf.version_definitions
    oldest = min((one for one in offered if one.startswith("GLIBC_2.")), key=version_key)
    site = Site()
    link = stub(
        site.folder / ".stubs" / "libc.so.6",
        "libc.so.6",
        symbol="getpid",
        version=_NEWER if broken else oldest,
    )
    shared_library(
        "extern void getpid(void); void sample(void) { getpid(); }",
        site.package("pyg_lib") / "libpyg.so",
        flags=["-nostdlib", *link],
    )
    return site


FAULT = Fault(
    id="F27",
    title="An extension needs a newer C library than the image has",
    symptom="version `GLIBC_2.33' not found (required by pyg_lib/libpyg.so)",
    sources=("pyg-team/pyg-lib#548", "pyg-team/pyg-lib#266"),
    areas=("ENV",),
    caught_by=("environment/audit/glibc",),
    says=("pyg_lib/libpyg.so", _NEWER, "libc.so.6"),
    keyword="test_audit and test_glibc",
    plant=plant,
)
