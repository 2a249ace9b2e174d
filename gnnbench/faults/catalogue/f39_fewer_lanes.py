"""F39: the PCIe link of a GPU has lost lanes."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """Two GPUs, the second on 4 of its 16 lanes; in the twin on all of them."""
    from gnnbench.faults.fake_gpus import installed, sound

    installed({**sound(), "gpu1.pcie.width": 4 if broken else 16})


FAULT = Fault(
    id="F39",
    title="A GPU's PCIe link runs on fewer lanes than it has",
    symptom="Training slowed down on one machine, and the driver reported no Xid",
    sources=("NVIDIA/NVSentinel#890",),
    areas=("DEV",),
    caught_by=("environment/health/pcie",),
    says=("cuda:1 = GPU 1", "4 of 16 lanes", "reseat"),
    keyword="health and pcie",
    plant=plant,
)
