"""F08: only one entry of a gradient is right."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer whose dX is zero but for its first entry."""
    from gnnbench.faults.mutant import Mutant, SpoiltGradient, Wrapped, register

    def first_only(gradient: Any) -> Any:
        import torch

        return torch.zeros_like(gradient).index_put_((torch.tensor([0]), torch.tensor([0])), gradient[:1, 0])

    def wrap(layer: Any, graph: Any) -> Any:
        keep = first_only if broken else lambda gradient: gradient
        return lambda x, weight, bias: layer(SpoiltGradient.apply(x, keep), weight, bias)  # type: ignore[no-untyped-call]

    register(Wrapped(Mutant(), wrap))


FAULT = Fault(
    id="F08",
    title="The gradient of a sparse product is right in one entry only",
    symptom="sparse.mm of two sparse matrices returned a wrong derivative",
    sources=("pytorch/pytorch#102493",),
    areas=("GRAD",),
    caught_by=("equivalence/exact/gradients", "equivalence/bounded/layer", "equivalence/precision/declared"),
    plant=plant,
)
