"""F49: the same seed gives other random numbers."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A generator whose numbers are not those of this machine, as on another model of GPU."""
    import torch

    seed = torch.manual_seed

    def other(number: int) -> torch.Generator:
        return seed(number + (10_000 if broken else 0))

    torch.manual_seed = other  # type: ignore[assignment]  # takes what the original takes


FAULT = Fault(
    id="F49",
    title="The same seed gives other numbers on another device",
    symptom="streams differ between GPU models above a size that depends on their multiprocessors",
    sources=("pytorch/pytorch#194676", "pytorch/pytorch#25690"),
    areas=("DET",),
    caught_by=("equivalence/seeds/dropout", "equivalence/seeds/training"),
    keyword="seeds and not compiled",
    tier="standard",
    plant=plant,
    harmless=True,
)
