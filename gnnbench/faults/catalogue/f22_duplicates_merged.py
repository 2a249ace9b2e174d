"""F22: of several edges between two nodes one is left."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer that keeps the last of duplicate edges."""
    from gnnbench.faults.defects import merged
    from gnnbench.faults.mutant import Mutant, register

    register(Mutant(edges=merged if broken else lambda s, t, w, n: (s, t, w)))


FAULT = Fault(
    id="F22",
    title="Of several edges between two nodes one is left",
    symptom="to_dense_adj and to_torch_coo_tensor merged multi-edges that the edge_index path counts twice",
    sources=("pyg-team/pytorch_geometric#1356",),
    areas=("EQ",),
    caught_by=("equivalence/exact/forward", "equivalence/exact/gradients", "equivalence/bounded/layer"),
    plant=plant,
)
