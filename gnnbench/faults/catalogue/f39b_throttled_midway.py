"""F39: heat holds a GPU's clocks down during the run, and has passed when it ends."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A GPU that counts three seconds of thermal throttling during the run; in the twin of its power limit."""
    from gnnbench.faults.fake_gpus import Later, installed, sound

    gpus = installed(sound(1))
    return Later(gpus, {**sound(1), f"gpu0.violation.{1 if broken else 0}": 3 * 10**9})


FAULT = Fault(
    id="F39b",
    title="Heat holds a GPU's clocks down while it works",
    symptom="Benchmarks varied from run to run with the GPU's temperature, and nothing said why",
    sources=("NVIDIA/nvbench#231",),
    areas=("DEV",),
    caught_by=("environment/health/throttling",),
    says=("by heat for 3 s of the run", "fans"),
    keyword="throttling",
    plant=plant,
)
