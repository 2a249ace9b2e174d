"""F36: CUDA uses a GPU that NVML does not list."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """CUDA's second GPU is none of NVML's; in the twin both list the same, in another order."""
    from gnnbench.faults.fake_gpus import installed, sound, uuid_of

    first = uuid_of(7 if broken else 1)
    installed(
        {**sound(2), "cuda0.uuid": first, "cuda0.pci": None, "cuda1.uuid": uuid_of(0), "cuda1.pci": None}
    )


FAULT = Fault(
    id="F36b",
    title="CUDA uses a GPU that NVML does not know",
    symptom="Watching the GPUs by number showed an idle one while another was at work",
    sources=("pytorch/pytorch#86539",),
    areas=("DEV",),
    caught_by=("environment/gpu/identity",),
    says=("CUDA uses 1 GPUs that NVML does not know", "GPU-00000007-1111"),
    keyword="identity",
    plant=plant,
)
