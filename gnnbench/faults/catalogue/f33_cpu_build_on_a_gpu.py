"""F33: a machine has a GPU, and the image's torch is a CPU-only build."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A driver with one GPU; torch, which is for the CPU or taken for it, counts none. In the twin it counts one."""
    import torch

    from gnnbench.faults.fake_gpus import installed, sound

    installed(sound(1))
    torch.version.cuda = None if broken else "12.4"
    torch.cuda.device_count = lambda: 0 if broken else 1


FAULT = Fault(
    id="F33",
    title="A CPU-only torch on a machine with a GPU",
    symptom="Everything runs, on the CPU, and GPU tests are skipped; or an extension was built without FORCE_CUDA=1",
    sources=("pyg-team/pytorch_geometric#738", "ivan-chai/torch-linear-assignment#29"),
    areas=("ENV",),
    caught_by=("environment/gpu/present",),
    says=(
        "there is a GPU and torch can't use it",
        "torch is a CPU-only build",
        "install a torch that is built for CUDA",
    ),
    keyword="gpu and test_present",
    plant=plant,
)
