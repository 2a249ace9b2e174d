"""F36: CUDA numbers the GPUs otherwise than NVML, and the sick one is told of the wrong number."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """NVML's GPU 1 is CUDA's only one. It has memory errors; in the twin its neighbour has, which nobody uses."""
    from gnnbench.faults.fake_gpus import installed, sound, uuid_of

    sick = 1 if broken else 0
    installed(
        {
            **sound(2),
            "cuda_count": 1,
            "cuda0.uuid": uuid_of(1),
            "cuda0.pci": "0000:19:00.0",
            f"gpu{sick}.ecc.uncorrected.volatile": 3,
        }
    )


FAULT = Fault(
    id="F36",
    title="CUDA's order of GPUs is not NVML's",
    symptom="What was asked of NVML by CUDA's number was that of another GPU",
    sources=("pytorch/pytorch#86539",),
    areas=("DEV",),
    caught_by=("environment/health/memory_errors",),
    says=("cuda:0 = GPU 1", "GPU-00000001-1111", "3 uncorrected memory errors"),
    keyword="memory_errors",
    plant=plant,
)
