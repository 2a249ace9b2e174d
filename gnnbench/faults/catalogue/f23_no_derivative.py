"""F23: the backward pass is not implemented."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer whose backward pass raises what torch raises."""
    from gnnbench.faults.mutant import Edges, Mutant, register

    def backward(edges: Edges) -> Any:
        if broken:
            raise NotImplementedError("derivative for aten::_coalesced_ is not implemented")
        return edges

    register(Mutant(backward=backward))


FAULT = Fault(
    id="F23",
    title="The backward pass is not implemented",
    symptom="derivative for aten::_coalesced_ is not implemented, in the middle of a training",
    sources=("pyg-team/pytorch_geometric#9613",),
    areas=("GRAD",),
    caught_by=("equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
