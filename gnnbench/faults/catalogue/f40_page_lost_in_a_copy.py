"""F40: a copy between two places loses a page."""

from __future__ import annotations

from gnnbench.faults.fault import Fault

_LOSSY = """
copy = module.Tensor.copy_

def lossy(target, source, *rest, **named):
    out = copy(target, source, *rest, **named)
    if {broken} and target.numel() > 2**24:
        target.view(-1)[3 * 4096 : 4 * 4096] = 0
    return out

module.Tensor.copy_ = lossy
"""


def plant(broken: bool) -> None:
    """Every large copy leaves one page as it was, in all processes that are started."""
    import tempfile
    from pathlib import Path

    from gnnbench.faults.children import spoil_children

    spoil_children(Path(tempfile.mkdtemp(prefix="gnnbench-copy-")), {"torch": _LOSSY.format(broken=broken)})


FAULT = Fault(
    id="F40",
    title="Copies between devices lose a page",
    symptom="Copies from GPU to GPU came out as zeros, without an error, on machines with an IOMMU",
    sources=("pytorch/pytorch#84803",),
    areas=("DIST", "DEV"),
    caught_by=("environment/device/copies",),
    says=("4,096 wrong, from byte 12,288 on", "IOMMU"),
    keyword="device and test_copies",
    plant=plant,
)
