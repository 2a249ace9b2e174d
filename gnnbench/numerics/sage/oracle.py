"""The mean layer of GraphSAGE in float64, from the definition: what every implementation is judged by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.graphs import Graph
from gnnbench.numerics.adjacency import Adjacency
from gnnbench.numerics.host import judging
from gnnbench.numerics.operands import Operands


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class SageInputs(Operands):
    """The operands of a layer and the gradient from above; `ValueError` for shapes that do not fit."""

    x: Tensor
    """`[N, F]`."""
    weight_l: Tensor
    """`[F, C]`: of the mean."""
    weight_r: Tensor
    """`[F, C]`: of the node itself."""
    bias: Tensor | None
    """`[C]`."""
    upstream: Tensor
    """`[N, C]`."""

    def __post_init__(self) -> None:
        (n, f), c = self.x.shape, self.weight_l.shape[-1]
        self.require_shapes(weight_l=(f, c), weight_r=(f, c), bias=(c,), upstream=(n, c))

    def by_gradient(self) -> dict[str, Tensor | None]:
        """x, W_l, W_r and b under the names of their gradients."""
        return {"dX": self.x, "dW_l": self.weight_l, "dW_r": self.weight_r, "db": self.bias}


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class SageOracle:
    """The right answer with all that it was made from, in float64 on the host."""

    graph: Graph
    mean: Adjacency
    """M: row i holds 1/n_i for each of the n_i edges into i."""
    inputs: SageInputs
    values: Mapping[str, Tensor]
    """`forward`, `dX`, `dW_l`, `dW_r` and, where there is a bias, `db`."""

    def bound(self, quantity: str) -> Tensor:
        """See `sage_bound`."""
        from gnnbench.numerics.sage.bounds import sage_bound

        return sage_bound(self, quantity)

    def alternatives(self) -> Iterator[tuple[str, SageOracle]]:
        """See `numerics.sage.faults`."""
        from gnnbench.numerics.sage.faults import sage_alternatives

        return sage_alternatives(self)

    @judging
    def under(self, mean: Adjacency | None = None, inputs: SageInputs | None = None) -> SageOracle:
        """What the layer would give with another matrix or other operands: a hypothesis about a fault."""
        return _oracle(
            self.graph,
            self.mean if mean is None else mean,
            self.inputs if inputs is None else inputs,
        )


@judging
def sage_oracle(graph: Graph, inputs: SageInputs) -> SageOracle:
    """`out = M X W_l + X W_r + b`, and the gradients of `Σ G ⊙ out`.

        P = MᵀG      dX = P W_lᵀ + G W_rᵀ      dW_l = XᵀP      dW_r = XᵀG      db = Σ_i G_i

    Args:
        graph: N nodes; edge weights mean nothing, duplicates and own loops are edges like any other.
        inputs: in any floating point dtype, on any device.

    Raises:
        ValueError: for shapes that do not fit, or entries that are not finite.
    """
    if inputs.x.shape[0] != graph.num_nodes:
        raise ValueError(f"x: expected a row for each of {graph.num_nodes} nodes, found {inputs.x.shape[0]}")
    inputs = inputs.to("cpu", torch.float64)
    inputs.require_finite()
    source, target = graph.edge_index.detach().cpu()
    return _oracle(graph, mean_matrix(source, target, graph.num_nodes), inputs)


def mean_matrix(source: Tensor, target: Tensor, num_nodes: int) -> Adjacency:
    """M of these edges: 1 / (how many enter the target) at each."""
    incoming = torch.zeros(num_nodes, dtype=torch.float64)
    incoming.index_add_(0, target, torch.ones(target.shape[0], dtype=torch.float64))
    return Adjacency(source, target, 1.0 / incoming[target], num_nodes)


def _oracle(graph: Graph, mean: Adjacency, inputs: SageInputs) -> SageOracle:
    forward = mean @ (inputs.x @ inputs.weight_l) + inputs.x @ inputs.weight_r
    spread = mean.transpose @ inputs.upstream
    values = {
        "forward": forward if inputs.bias is None else forward + inputs.bias,
        "dX": spread @ inputs.weight_l.T + inputs.upstream @ inputs.weight_r.T,
        "dW_l": inputs.x.T @ spread,
        "dW_r": inputs.x.T @ inputs.upstream,
    }
    if inputs.bias is not None:
        values["db"] = inputs.upstream.sum(dim=0)
    return SageOracle(graph=graph, mean=mean, inputs=inputs, values=values)
