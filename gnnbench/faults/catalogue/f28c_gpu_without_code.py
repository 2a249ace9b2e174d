"""F28c: torch was not built for the GPU that is there."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A torch with code up to sm_80 and no PTX, on an H100 or on an A100."""
    import torch

    torch.cuda.device_count = lambda: 1
    torch.cuda.get_arch_list = lambda: ["sm_70", "sm_75", "sm_80"]
    torch.cuda.get_device_capability = lambda *_: (9, 0) if broken else (8, 0)


FAULT = Fault(
    id="F28c",
    title="torch has no code for the GPU at hand",
    symptom="`CUDA error: no kernel image is available for execution on the device`",
    sources=("pytorch/pytorch#149845", "pytorch/pytorch#167244"),
    areas=("ENV",),
    caught_by=("environment/gpu/architecture",),
    says=("torch has no code for cuda:0", "sm_90", "sm_70, sm_75, sm_80"),
    keyword="gpu and test_architecture",
    plant=plant,
)
