"""F34: a data set's cache holds what torch refuses to load."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


class Foreign:
    """A class that is neither torch's nor PyG's."""


def plant(broken: bool) -> None:
    """torch.save that puts a foreign object into what it writes."""
    import torch

    save = torch.save

    def spoilt(what: Any, *arguments: Any, **named: Any) -> None:
        if broken and isinstance(what, tuple):
            what = (*what[:-1], {"was": what[-1], "foreign": Foreign()})
        save(what, *arguments, **named)

    torch.save = spoilt  # type: ignore[assignment]  # hands on what it is given


FAULT = Fault(
    id="F34",
    title="The cache of a data set can't be loaded again",
    symptom="OGB's processed data sets did not load from torch 2.6 on, which takes weights_only by default",
    sources=("snap-stanford/ogb#497",),
    areas=("DATA",),
    caught_by=("environment/data/second_load",),
    keyword="second_load",
    plant=plant,
)
