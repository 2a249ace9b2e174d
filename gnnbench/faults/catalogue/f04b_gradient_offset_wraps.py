"""F04b: offsets wrap in the backward pass alone."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A layer whose gradients of the messages are read at 16-bit offsets, with limits as low."""
    from gnnbench.faults.mutant import register
    from gnnbench.faults.offsets import Scattering, SmallLimits, wrapped

    register(Scattering(gradients=wrapped) if broken else Scattering())
    return SmallLimits()


FAULT = Fault(
    id="F04b",
    title="Offsets of gradients wrap at 2^31",
    symptom="scatter read illegally once edges times width passed 2^31",
    sources=("rusty1s/pytorch_scatter#456",),
    areas=("GRAD",),
    caught_by=("equivalence/large_index/messages",),
    keyword="planted and large_index",
    tier="full",
    plant=plant,
)
