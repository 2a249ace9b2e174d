"""F15: a fused kernel reads rows before the last messages were added to them."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer that reads its sums before the second half of the messages has arrived."""
    from gnnbench.faults.mutant import Edges, Mutant, register

    def first_half(edges: Edges) -> Edges:
        half = (len(edges[0]) + 1) // 2
        source, target, value = (part[:half] for part in edges)
        return source, target, value

    register(Mutant(normalised=first_half if broken else lambda edges: edges))


FAULT = Fault(
    id="F15",
    title="A fused kernel reads sums before they are complete",
    symptom="torch.compile fused index_add with the gather behind it, and gave wrong results",
    sources=("pytorch/pytorch#171493",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
