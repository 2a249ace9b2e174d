"""F12: a sum is taken in another order in each call."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer that adds its messages in a random order each time."""
    import torch

    from gnnbench.faults.mutant import Edges, Mutant, register

    def shuffle(edges: Edges) -> Edges:
        order = torch.randperm(len(edges[0]), device=edges[0].device)
        source, target, value = (part[order] for part in edges)
        return source, target, value

    register(Mutant(each_call=shuffle if broken else lambda edges: edges))


FAULT = Fault(
    id="F12",
    title="A sum is taken in another order in each call",
    symptom="sparse products differed from run to run; transposed ones may, by cuSPARSE's own account",
    sources=("rusty1s/pytorch_sparse#82", "cupy/cupy#9323"),
    areas=("DET",),
    caught_by=("equivalence/determinism/same_bits",),
    keyword="planted",
    tier="smoke",
    plant=plant,
)
