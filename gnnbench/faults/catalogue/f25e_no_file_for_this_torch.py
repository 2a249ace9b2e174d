"""F25: a package has one compiled file for each release of torch, and none for the one that is installed."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A dgl for torch 2.0 and 2.1; its twin also has the file for the torch that is here."""
    from gnnbench.environment.audit import inventory
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site

    torch = inventory().torch
    assert torch is not None
    site = Site()
    folder = site.package("dgl", "2.1.0") / "graphbolt"
    for release in ("2.0.1", "2.1.0", *(() if broken else (torch.release,))):
        shared_library("void sample(void) {}", folder / f"libgraphbolt_pytorch_{release}.so")
    return site


FAULT = Fault(
    id="F25e",
    title="A package has no compiled file for this release of torch",
    symptom="FileNotFoundError: Cannot find DGL C++ graphbolt library at dgl/graphbolt/libgraphbolt_pytorch_2.4.1.so",
    sources=("dmlc/dgl#7822", "dmlc/dgl#7247", "materialyzeai/matgl#334"),
    areas=("ENV",),
    caught_by=("environment/audit/readable",),
    says=("libgraphbolt_pytorch_2.1.0.so", "there is none for torch"),
    keyword="test_audit and test_readable",
    plant=plant,
)
