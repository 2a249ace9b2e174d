"""F50: dropout follows no seed."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """Dropout with a generator of its own, which reseeding does not reach."""

    import torch
    from torch.nn import functional

    original, own = functional.dropout, torch.Generator().manual_seed(0)

    def dropout(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        if not broken or not training:
            return original(x, p, training, inplace)
        keep = torch.rand(x.shape, generator=own) >= p
        return x * keep / (1 - p)

    functional.dropout = dropout  # type: ignore[assignment]


FAULT = Fault(
    id="F50",
    title="Reseeding does not reset dropout",
    symptom="after torch.manual_seed, dropout on a GPU went on where it had been",
    sources=("pytorch/pytorch#12669", "pytorch/pytorch#74177"),
    areas=("DET",),
    caught_by=("equivalence/seeds/dropout", "equivalence/seeds/training"),
    keyword="seeds and not compiled",
    tier="standard",
    plant=plant,
)
