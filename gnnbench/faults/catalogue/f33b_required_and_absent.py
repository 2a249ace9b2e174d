"""F33b: a GPU was required, and there is none to use."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """No GPU, or one, as far as torch counts."""
    import torch

    torch.version.cuda = "12.4"
    torch.cuda.device_count = lambda: 0 if broken else 1


FAULT = Fault(
    id="F33b",
    title="A GPU was required and none is visible",
    symptom="CI for GPUs ran no test on one for months: all of them were skipped, and the job was green",
    sources=("pytorch/vision#6970",),
    areas=("ENV",),
    caught_by=("environment/required/required",),
    says=("0 of 1 GPUs are visible", "cuda, which was required"),
    options=("--gnnbench-require=cuda",),
    keyword="test_required",
    plant=plant,
)
