"""The GCN layer in float64 from the same float32 inputs: what every backend is judged by.

A float64 sum of n terms errs by about n·1e-16, eight digits below float32, so no compensated summation is
needed; the tests check it against exact rational arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.numerics.adjacency import Adjacency, normalised_adjacency
from gnnbench.numerics.host import judging
from gnnbench.numerics.layer import LayerInputs, LayerResult, Quantity


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Oracle(LayerResult):
    """The right answer with all that it was made from, in float64 on the host.

    The host, because the device is what is under test.
    """

    graph: Graph
    self_loops: SelfLoops
    adjacency: Adjacency
    inputs: LayerInputs

    def of(self, quantity: Quantity) -> Tensor:
        """One of the four; raises `ValueError` for `db` of a layer without bias."""
        value = getattr(self, quantity)
        if value is None:
            raise ValueError(f"{quantity}: the layer has no bias, so it has no such gradient")
        tensor: Tensor = value
        return tensor

    @judging
    def under(self, adjacency: Adjacency | None = None, **inputs: Any) -> Oracle:
        """What the layer would give with another Â or other inputs: a hypothesis about a fault."""
        return _oracle(
            self.graph,
            self.self_loops,
            self.adjacency if adjacency is None else adjacency,
            replace(self.inputs, **inputs) if inputs else self.inputs,
        )


@judging
def gcn_oracle(
    graph: Graph,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    upstream: Tensor,
    *,
    self_loops: SelfLoops = "add",
) -> Oracle:
    """`out = Â X W + b`, and the gradients of `Σ G ⊙ out` by X, W and b.

        forward = Â(XW) + b      P = ÂᵀG      dX = P Wᵀ      dW = Xᵀ P      db = Σ_i G_i

    Args:
        graph: N nodes; its edge weights are taken as they are.
        x: `[N, F]`; this and the next three in any floating point dtype, on any device.
        weight: `[F, C]`.
        bias: `[C]` or None.
        upstream: G, `[N, C]`.
        self_loops: which loops Ã gets, as in `Graph.with_self_loops`.

    Raises:
        ValueError: for shapes that do not fit, entries that are not finite, a weighted in-degree below 0.
    """
    if x.shape[0] != graph.num_nodes:
        raise ValueError(f"x: expected a row for each of {graph.num_nodes} nodes, found {x.shape[0]}")
    inputs = LayerInputs(x=x.detach(), weight=weight.detach(), bias=bias, upstream=upstream.detach())
    inputs = inputs.to("cpu", torch.float64)
    inputs.require_finite()
    return _oracle(graph, self_loops, normalised_adjacency(graph, self_loops), inputs)


def _oracle(graph: Graph, self_loops: SelfLoops, adjacency: Adjacency, inputs: LayerInputs) -> Oracle:
    aggregated = adjacency.transpose @ inputs.upstream
    forward = adjacency @ (inputs.x @ inputs.weight)
    return Oracle(
        graph=graph,
        self_loops=self_loops,
        adjacency=adjacency,
        inputs=inputs,
        forward=forward if inputs.bias is None else forward + inputs.bias,
        dX=aggregated @ inputs.weight.T,
        dW=inputs.x.T @ aggregated,
        db=None if inputs.bias is None else inputs.upstream.sum(dim=0),
    )
