"""One GCN layer on one random graph: what is drawn, and how it goes into the document and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gnnbench.graphs import SELF_LOOPS, Choices, Graph, SelfLoops, describe_graph, random_graph
from gnnbench.numerics.inputs import real_inputs
from gnnbench.numerics.layer import LayerInputs
from gnnbench.record import Counterexample

#: F and C up to here: beyond 64, rounding of the inner products hides what a single edge contributes.
WIDEST = 40

#: Nodes and edges up to which operands may all be ones. Equal numbers round alike (see `bounds.growth`), which
#: does not matter while the bound is the certain one, up to 64 terms.
_FEW = 64


@dataclass(frozen=True, slots=True, eq=False)
class RandomLayer:
    """A graph, its operands in float32 on the host, and the convention of self-loops."""

    graph: Graph
    inputs: LayerInputs
    self_loops: SelfLoops

    def __str__(self) -> str:
        features, channels = self.inputs.weight.shape
        return f"{describe_graph(self.graph)}, F = {features}, C = {channels}, self_loops={self.self_loops!r}"

    def recorded(self, *, backend: str, device: torch.device) -> Counterexample:
        """For the document."""
        graph, inputs = self.graph, self.inputs
        return Counterexample(
            backend=backend,
            device=str(device),
            self_loops=self.self_loops,
            num_nodes=graph.num_nodes,
            edge_index=tuple(tuple(row) for row in graph.edge_index.tolist()),
            edge_weight=None if graph.edge_weight is None else _row(graph.edge_weight),
            x=_rows(inputs.x),
            weight=_rows(inputs.weight),
            bias=None if inputs.bias is None else _row(inputs.bias),
            upstream=_rows(inputs.upstream),
        )

    @classmethod
    def of(cls, recorded: Counterexample) -> RandomLayer:
        """From a document; raises `ValueError` for a graph or operands that do not fit together."""
        loops = next((mode for mode in SELF_LOOPS if mode == recorded.self_loops), None)
        if loops is None:
            known = ", ".join(SELF_LOOPS)
            raise ValueError(f"self_loops: expected one of {known}, found {recorded.self_loops!r:.80}")
        weight = _matrix("weight", recorded.weight, len(recorded.weight))
        edges = torch.tensor(recorded.edge_index, dtype=torch.int64)
        graph = Graph(
            edges,
            recorded.num_nodes,
            None if recorded.edge_weight is None else torch.tensor(recorded.edge_weight, dtype=torch.float32),
        )
        inputs = LayerInputs(
            x=_matrix("x", recorded.x, graph.num_nodes, weight.shape[0]),
            weight=weight,
            bias=None if recorded.bias is None else torch.tensor(recorded.bias, dtype=torch.float32),
            upstream=_matrix("upstream", recorded.upstream, graph.num_nodes, weight.shape[1]),
        )
        inputs.require_finite()
        return cls(graph, inputs, loops)


def random_layer(choices: Choices, widths: Sequence[tuple[int, int]] = ()) -> RandomLayer:
    """A random graph with operands; (F, C) is one of `widths` where they are given, else both are 1 to 40.

    The simplest operands, of small graphs only, are ones throughout; the others are those of Tier 1, two
    thirds of whose features may be zero.
    """
    self_loops = choices.among(SELF_LOOPS)
    graph = random_graph(choices)
    if widths:
        features, channels = choices.among(widths)
    else:
        features, channels = choices.whole(1, WIDEST), choices.whole(1, WIDEST)
    bias = choices.among((False, True))
    small = graph.num_nodes + graph.num_edges <= _FEW
    kind = choices.among(("ones", "real", "real", "sparse") if small else ("real", "real", "sparse"))
    if kind == "ones":
        return RandomLayer(graph, _ones(graph.num_nodes, features, channels, bias=bias), self_loops)
    seed = choices.whole(0, 9999)
    inputs = real_inputs(graph.num_nodes, features, channels, seed=seed, bias=bias)
    if kind == "sparse":
        kept = torch.rand(inputs.x.shape, generator=torch.Generator().manual_seed(seed)) * 3 < 1
        inputs = replace(inputs, x=inputs.x * kept)
    return RandomLayer(graph, inputs, self_loops)


def _ones(num_nodes: int, features: int, channels: int, *, bias: bool) -> LayerInputs:
    return LayerInputs(
        x=torch.ones(num_nodes, features),
        weight=torch.ones(features, channels),
        bias=torch.ones(channels) if bias else None,
        upstream=torch.ones(num_nodes, channels),
    )


def _row(values: Tensor) -> tuple[float, ...]:
    return tuple(float(f"{value:.9g}") for value in values.tolist())


def _rows(values: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(_row(row) for row in values)


def _matrix(name: str, rows: Sequence[Sequence[float]], length: int, width: int | None = None) -> Tensor:
    """float32 `[length, width]`; no rows have no width of their own, so it is told."""
    width = len(rows[0]) if width is None and rows else width
    if len(rows) != length or not width or any(len(row) != width for row in rows):
        raise ValueError(f"{name}: expected {length} rows of {width or 'at least 1'} numbers, found others")
    return torch.tensor(rows, dtype=torch.float32).reshape(length, width)
