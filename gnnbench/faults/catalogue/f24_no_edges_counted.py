"""F24: a graph that has edges says that it has none."""

from __future__ import annotations

from collections.abc import Sequence

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """Throughputs of graphs that count no edges."""
    import gnnbench.timing

    right = gnnbench.timing.per_second

    def per_second(amount: int, seconds: Sequence[float]) -> tuple[float, ...]:
        return right(0 if broken else amount, seconds)

    gnnbench.timing.per_second = per_second


FAULT = Fault(
    id="F24",
    title="A graph that has edges says that it has none",
    symptom="num_edges was 0 for graphs kept as native sparse tensors: a throughput divided by it",
    sources=("pyg-team/pytorch_geometric#7103",),
    areas=("DATA",),
    caught_by=("throughput/gcn/layer_forward", "throughput/gcn/training_step"),
    keyword="(layer_forward or training_step) and csr",
    plant=plant,
)
