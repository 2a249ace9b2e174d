"""What an implementation of the GAT layer is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gnnbench.graphs import Graph

#: What LeakyReLU does to scores below 0 (Veličković et al. 2018, section 2.1).
NEGATIVE_SLOPE = 0.2


class GatLayer(Protocol):
    """A GAT layer of H heads with C channels each, bound to one graph, one device and one dtype."""

    def __call__(
        self, x: Tensor, weight: Tensor, att_src: Tensor, att_dst: Tensor, bias: Tensor | None
    ) -> Tensor:
        """One pass; differentiable in all five.

        Args:
            x: `[N, F]`.
            weight: `[F, H·C]`, the columns of head 0 first.
            att_src: `[H, C]`: what each head looks for in the source of an edge.
            att_dst: `[H, C]`: the same for its target.
            bias: `[H·C]` where heads are concatenated, `[C]` where they are averaged, or None.

        Returns:
            `[N, H·C]` or `[N, C]`.
        """
        ...


@runtime_checkable
class GatBackend(Protocol):
    """One way to compute the layer of Veličković et al. (2018), as PyG's `GATConv` has it.

        h_j = x_j W      e_ij = LeakyReLU(a_src · h_j + a_dst · h_i)      slope 0.2
        α_ij = exp(e_ij) / Σ_k exp(e_ik)      out_i = Σ_j α_ij h_j

    for each head, with j and k over the in-edges of i and i itself. Duplicate edges count each; own
    self-loops are left out, so that i counts once whatever the graph holds (PyG removes them and adds one).
    Edge weights mean nothing to this layer. Heads are concatenated, or averaged. May have an attribute
    `tier`, as GCN backends may.
    """

    @property
    def name(self) -> str:
        """Short and stable, for it becomes part of every check's id."""
        ...

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, concat: bool = True
    ) -> GatLayer:
        """Prepare the layer for `graph`; what doesn't depend on x and the parameters happens here.

        Raises:
            UnsupportedByBackend: where this implementation can't compute exactly what was asked for.
        """
        ...
