"""F39: somebody has lowered a GPU's power limit and clocks."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A GPU with half its power and clocks; in the twin with its defaults."""
    from gnnbench.faults.fake_gpus import installed, sound

    lowered = {"gpu0.power_limit": 350000, "gpu0.clock_set.1": 990} if broken else {}
    installed({**sound(1), **lowered})


FAULT = Fault(
    id="F39c",
    title="A GPU's power limit and clocks are lowered",
    symptom="One machine of several was slower than the others by the same factor in everything",
    sources=("NVIDIA/nvbench#231",),
    areas=("DEV",),
    caught_by=("environment/health/power", "environment/health/clocks"),
    says=("is its default", "nvidia-smi -i GPU-00000000-1111"),
    keyword="test_health and (power or clocks)",
    plant=plant,
)
