"""F33: the image is for a GPU, and its torch is for none."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A CPU-only torch; its twin is for CUDA."""
    from gnnbench.faults.site import Site

    site = Site()
    site.torch(*((None, []) if broken else ("12.6", ["sm_90"])))
    return site


FAULT = Fault(
    id="F33d",
    title="torch is a CPU-only build in an image for a GPU",
    symptom="everything runs, on the CPU: the resolver took the CPU's wheel",
    sources=("pyg-team/pytorch_geometric#738",),
    areas=("ENV",),
    caught_by=("environment/audit/target",),
    says=("no code for any GPU", "CPU-only"),
    options=("--gnnbench-target=H100",),
    keyword="test_audit and test_target",
    plant=plant,
)
