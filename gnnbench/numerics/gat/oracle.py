"""The GAT layer in float64, from the definition: what every implementation is judged by.

The gradients are written out, not left to autograd, which is among what is under test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.graphs import Graph
from gnnbench.numerics.host import judging
from gnnbench.numerics.operands import Operands

#: Slope of LeakyReLU below 0 (Veličković et al. 2018, section 2.1).
SLOPE = 0.2


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class GatInputs(Operands):
    """The operands of a layer and the gradient from above; `ValueError` for shapes that do not fit."""

    x: Tensor
    """`[N, F]`."""
    weight: Tensor
    """`[F, H·C]`, the columns of head 0 first."""
    att_src: Tensor
    """`[H, C]`."""
    att_dst: Tensor
    """`[H, C]`."""
    bias: Tensor | None
    """`[H·C]` where heads are concatenated, else `[C]`."""
    upstream: Tensor
    """`[N, H·C]`, or `[N, C]`."""
    concat: bool = True

    def __post_init__(self) -> None:
        (n, f), (heads, channels) = self.x.shape, self.att_src.shape
        width = heads * channels if self.concat else channels
        self.require_shapes(
            weight=(f, heads * channels), att_dst=(heads, channels), bias=(width,), upstream=(n, width)
        )

    def by_gradient(self) -> dict[str, Tensor | None]:
        """x, W, both attention vectors and b under the names of their gradients."""
        return {
            "dX": self.x,
            "dW": self.weight,
            "da_src": self.att_src,
            "da_dst": self.att_dst,
            "db": self.bias,
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class GatOracle:
    """The right answer with all that it was made from, in float64 on the host."""

    graph: Graph
    source: Tensor
    """int64 `[E']`: whom the target attends to, itself included."""
    target: Tensor
    """int64 `[E']`."""
    inputs: GatInputs
    slope: float
    values: Mapping[str, Tensor]
    """`forward`, `dX`, `dW`, `da_src`, `da_dst` and, where there is a bias, `db`."""

    def bound(self, quantity: str) -> Tensor:
        """See `gat_bounds`."""
        from gnnbench.numerics.gat.bounds import gat_bounds

        return gat_bounds(self)[quantity]

    def alternatives(self) -> Iterator[tuple[str, GatOracle]]:
        """See `numerics.gat.faults`."""
        from gnnbench.numerics.gat.faults import gat_alternatives

        return gat_alternatives(self)

    @judging
    def under(
        self,
        edges: tuple[Tensor, Tensor] | None = None,
        inputs: GatInputs | None = None,
        slope: float | None = None,
    ) -> GatOracle:
        """What the layer would give otherwise: a hypothesis about a fault."""
        return _oracle(
            self.graph,
            (self.source, self.target) if edges is None else edges,
            self.inputs if inputs is None else inputs,
            self.slope if slope is None else slope,
        )


@judging
def gat_oracle(graph: Graph, inputs: GatInputs) -> GatOracle:
    """The layer and the gradients of `Σ G ⊙ out`, for each head:

        h = x W      e_ij = a_src·h_j + a_dst·h_i      s = LeakyReLU(e)      α_ij = exp(s_ij) / Σ_k exp(s_ik)
        out_i = Σ_j α_ij h_j

        dα_ij = G_i·h_j      ds_ij = α_ij (dα_ij - Σ_k α_ik dα_ik)      de = LeakyReLU'(e) ds
        r_j = Σ_i de_ij      t_i = Σ_j de_ij
        dh_j = Σ_i α_ij G_i + r_j a_src + t_j a_dst      dX = dh Wᵀ      dW = Xᵀ dh
        da_src = Σ_j r_j h_j      da_dst = Σ_i t_i h_i

    with j over the in-edges of i but for own loops, and i itself once. Averaged heads get G/H each.

    Args:
        graph: N nodes; edge weights mean nothing, duplicates count each.
        inputs: in any floating point dtype, on any device.

    Raises:
        ValueError: for shapes that do not fit, or entries that are not finite.
    """
    if inputs.x.shape[0] != graph.num_nodes:
        raise ValueError(f"x: expected a row for each of {graph.num_nodes} nodes, found {inputs.x.shape[0]}")
    inputs = inputs.to("cpu", torch.float64)
    inputs.require_finite()
    source, target = graph.edge_index.detach().cpu()
    nodes = torch.arange(graph.num_nodes)
    others = source != target
    edges = torch.cat([source[others], nodes]), torch.cat([target[others], nodes])
    return _oracle(graph, edges, inputs, SLOPE)


def _oracle(graph: Graph, edges: tuple[Tensor, Tensor], inputs: GatInputs, slope: float) -> GatOracle:
    (source, target), num_nodes = edges, graph.num_nodes
    heads, channels = inputs.att_src.shape

    def collect(rows: Tensor, index: Tensor) -> Tensor:
        return torch.zeros(num_nodes, *rows.shape[1:], dtype=torch.float64).index_add_(0, index, rows)

    h = (inputs.x @ inputs.weight).view(num_nodes, heads, channels)
    e = (h * inputs.att_src).sum(2)[source] + (h * inputs.att_dst).sum(2)[target]
    s = torch.where(e > 0, e, slope * e)
    # Less the maximum, for float64 overflows too, if later.
    index = target[:, None].expand_as(s)
    top = torch.full((num_nodes, heads), -torch.inf, dtype=torch.float64)
    p = (s - top.scatter_reduce_(0, index, s, "amax")[target]).exp()
    alpha = p / collect(p, target)[target]
    out = collect(alpha[:, :, None] * h[source], target)
    forward = out.flatten(1) if inputs.concat else out.mean(1)

    g = inputs.upstream
    g = g.view(num_nodes, heads, channels) if inputs.concat else (g / heads)[:, None].expand_as(h)
    d_alpha = (g[target] * h[source]).sum(2)
    d_s = alpha * (d_alpha - collect(alpha * d_alpha, target)[target])
    d_e = torch.where(e > 0, d_s, slope * d_s)
    r, t = collect(d_e, source)[:, :, None], collect(d_e, target)[:, :, None]
    d_h = collect(alpha[:, :, None] * g[target], source) + r * inputs.att_src + t * inputs.att_dst
    values = {
        "forward": forward if inputs.bias is None else forward + inputs.bias,
        "dX": d_h.flatten(1) @ inputs.weight.T,
        "dW": inputs.x.T @ d_h.flatten(1),
        "da_src": (r * h).sum(0),
        "da_dst": (t * h).sum(0),
    }
    if inputs.bias is not None:
        values["db"] = inputs.upstream.sum(0)
    return GatOracle(graph=graph, source=source, target=target, inputs=inputs, slope=slope, values=values)
