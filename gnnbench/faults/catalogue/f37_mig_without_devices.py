"""F37: MIG is on, and CUDA counts no GPU."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A GPU in MIG mode without MIG devices; in the twin with one, by its old name, which CUDA uses."""
    from gnnbench.faults.fake_gpus import installed, sound, uuid_of

    device = {"cuda_count": 0} if broken else {"gpu0.mig3.uuid": f"MIG-{uuid_of(0)}/7/0"}
    installed({**sound(1), "gpu0.mig": 1, "gpu0.mig_pending": 1, **device})


FAULT = Fault(
    id="F37",
    title="A GPU in MIG mode has no MIG device",
    symptom="torch.cuda.device_count() was 0 on a GPU that nvidia-smi showed",
    sources=("pytorch/pytorch#95784", "pytorch/pytorch#130181"),
    areas=("DEV",),
    caught_by=("environment/gpu/mig",),
    says=("MIG is on and no MIG device is there", "nvidia-smi mig -cgi"),
    keyword="test_mig",
    plant=plant,
)
