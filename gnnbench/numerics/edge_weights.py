"""The gradient of a GCN layer by its edge weights: closed form in float64, and how far float32 may be off.

Write H = XW, s = d^-1/2 with d the weighted in-degrees of Ã, Â_ij = s_i w s_j for an edge j → i of weight w,
out = ÂH + b, L = Σ G ⊙ out. The weight w_e of an edge e: j → i of the graph itself stands in Â_ij and, by
d_i = Σ w, in every entry of Â that has s_i in it: those of the edges that enter i and those of the edges that
leave it. With ∂Â_ik/∂s_i = Â_ik/s_i, counted twice where k = i, and ds/dd = -s/(2d),

    ∂L/∂w_e = s_i s_j (G_i·H_j) + q_i
    q_i = ∂L/∂d_i = -1/(2 d_i) [ Σ_{k→i} Â_ik (G_i·H_k) + Σ_{i→m} Â_mi (G_m·H_i) ]

The sums go over the edges of Ã, duplicates apart, added self-loops included; a self-loop stands in both. An
edge that is itself a self-loop is no special case: i = j. A node of degree 0 has s = 0 and q = 0. Duplicates
have one gradient each, all the same. The tests hold this against float64 autograd and finite differences.

float32 only: in TF32 up to two dense products would round their operands.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.numerics.adjacency import Adjacency, in_degrees, inverse_root, looped_edges
from gnnbench.numerics.bounds import FP32, INVERSE_ROOT_ROUNDINGS, degree_error, growth, message_spread
from gnnbench.numerics.exact import granules
from gnnbench.numerics.host import judging
from gnnbench.numerics.oracle import Oracle

#: Roundings of q_i's terms but for the sums: s_j is one inverse root; d^-3/2 is three of them multiplied, or
#: one power of no more roundings; the products are w·s_j, times G·H, the two within d^-3/2, its factor 1/2
#: (exact), times the sum.
_DEGREE_PATH = 4 * INVERSE_ROOT_ROUNDINGS + 5


@judging
def edge_weight_gradient(oracle: Oracle) -> Tensor:
    """∂L/∂w, float64 `[E]`, one for each edge in the graph's own order."""
    h = oracle.inputs.x @ oracle.inputs.weight
    direct, through_degree = _parts(oracle, oracle.adjacency, oracle.inputs.upstream, h)
    return direct - through_degree[_own_targets(oracle)]


@judging
def unnormalised_gradient(oracle: Oracle) -> Tensor:
    """The first term alone, float64 `[E]`: what is left where the normalisation is taken for a constant."""
    h = oracle.inputs.x @ oracle.inputs.weight
    return _parts(oracle, oracle.adjacency, oracle.inputs.upstream, h)[0]


@judging
def adjacency_tangent(oracle: Oracle, direction: Tensor) -> Adjacency:
    """How Â changes where the edge weights change by `direction` q `[E]`: `Σ_e q_e ∂Â/∂w_e`.

    With δ_i the sum of q over the edges into i, by which d_i changes, an entry of Ã at j → i changes by

        s_i s_j q_e - Â_ij/2 (δ_i/d_i + δ_j/d_j)

    and q_e is 0 for added self-loops. `Σ G ⊙ (this X W)` is Σ q ⊙ ∂L/∂w, so that a layer with it in the place of Â
    has the derivatives of ∂L/∂w by X, W and G.
    """
    adjacency = oracle.adjacency
    source, target = adjacency.source, adjacency.target
    change = torch.zeros_like(adjacency.value)
    change[: oracle.graph.num_edges] = direction.detach().cpu().double()
    scale, degree = _scales(oracle)
    share = in_degrees(target, change, adjacency.num_nodes)
    share = torch.where(degree > 0, share / (2 * degree), 0.0)
    value = scale[target] * scale[source] * change - adjacency.value * (share[target] + share[source])
    return Adjacency(source, target, value, adjacency.num_nodes)


@judging
def edge_weight_bound(oracle: Oracle) -> Tensor:
    """The largest error that rounding in float32 explains, float64 `[E]`.

    The two terms over absolute values, each times its ε/(1 - ε), as in `gnnbench.numerics.bounds`. With
    |G_i|·|H_j| for |G|(|X||W|), K the most nonzeros of a row of X and C the channels, roundings on a path are

        first term    2c_s + 2 for s_i s_j; K + C for G·H in either order, (G)(XW) or (GWᵀ)X; 1 for the sum of
                      both terms
        q_i           4c_s + 5 as above; K + C; one for each of the n_i edges in and the nᵀ_i edges out, and 2
                      for joining the two sums and both terms

    and the relative error δ of s that rounded degree sums bring: δ_i + δ_j on the first term, on a term of
    q_i δ_k for the other end and 3δ_i for d_i^-3/2. The bound covers Â's gradient as a dense `[N, N]`, as
    sampled products and as messages, and degrees in float32 as in float64.
    """
    adjacency = oracle.adjacency.absolute
    x, upstream = oracle.inputs.x.abs(), oracle.inputs.upstream.abs()
    h = x @ oracle.inputs.weight.abs()
    delta = degree_error(oracle, FP32)
    source, target = adjacency.source, adjacency.target
    own = _own_targets(oracle)

    longest = (x != 0).sum(dim=1).max().double() if x.numel() else torch.zeros((), dtype=torch.float64)
    products = longest + oracle.inputs.weight.shape[1]
    direct, through_degree = _parts(oracle, adjacency, upstream, h)
    error = (2 * INVERSE_ROOT_ROUNDINGS + 2) * FP32.u + growth(products + 1) * FP32.u
    spread = (delta[source] + delta[target])[: own.shape[0]]
    first = direct * _inflate(error + spread)

    terms = adjacency.row_counts + adjacency.transpose.row_counts
    alike = message_spread(adjacency) + message_spread(adjacency.transpose)
    error = _DEGREE_PATH * FP32.u + growth(products + terms + 2, products + alike + 2) * FP32.u
    # δ of the other end, edge by edge: the same sums once more with each term times its δ.
    other = _through_degree(oracle, adjacency, upstream, h, delta[source], delta[target])
    inflated = _inflate(error + 3 * delta)
    second = through_degree * inflated + other * (1 + inflated)
    return first + second[own]


@judging
def edge_weight_headroom(oracle: Oracle) -> float:
    """The largest partial sum any order can meet, as a share of what float32 holds; at most 1 is exact.

    As `exact_headroom`: Σ|terms| ÷ (2^24 · grid), for each edge with the terms of both parts of its gradient,
    whose scales are powers of two where all degrees are powers of 4.
    """
    adjacency = oracle.adjacency
    inputs = oracle.inputs
    if not adjacency.value.shape[0]:
        return 0.0
    unit = _smallest(inputs.x) * _smallest(inputs.weight) * _smallest(inputs.upstream)
    own = _own_targets(oracle)
    h = inputs.x.abs() @ inputs.weight.abs()
    direct, through_degree = _parts(oracle, adjacency.absolute, inputs.upstream.abs(), h)
    scale, degree = _scales(oracle)
    entries = torch.full((adjacency.num_nodes,), torch.inf, dtype=torch.float64)
    for end in (adjacency.target, adjacency.source):
        entries.scatter_reduce_(0, end, granules(adjacency.value), "amin")
    grid = torch.minimum(
        granules((scale[adjacency.target] * scale[adjacency.source])[: own.shape[0]]),
        (entries / (2 * degree).clamp_min(torch.finfo(torch.float64).tiny))[own],
    )
    share = (direct + through_degree[own]) / (grid * unit)
    return float(share.max()) / 2.0**24 if share.numel() else 0.0


def require_exact_edge_weights(oracle: Oracle) -> None:
    """Raise `ValueError` where a correct float32 gradient by edge weights could round on this probe."""
    share = edge_weight_headroom(oracle)
    if not share <= 1:
        raise ValueError(
            f"edge weights: expected partial sums that float32 holds exactly, found some that may need "
            f"{share:.3g} times its significand; use smaller numbers or degrees that are powers of 4"
        )


def _parts(oracle: Oracle, adjacency: Adjacency, upstream: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """`s_i s_j (G_i·H_j)` for each edge of the graph, `[E]`, and -q for each node, `[N]`."""
    own = oracle.graph.num_edges
    source, target = adjacency.source[:own], adjacency.target[:own]
    scale, _ = _scales(oracle)
    direct = scale[target] * scale[source] * (upstream[target] * h[source]).sum(dim=1)
    ones = torch.ones_like(adjacency.value)
    return direct, _through_degree(oracle, adjacency, upstream, h, ones, ones)


def _through_degree(
    oracle: Oracle, adjacency: Adjacency, upstream: Tensor, h: Tensor, into: Tensor, out_of: Tensor
) -> Tensor:
    """`1/(2 d_i) [Σ_{k→i} into·Â_ik G_i·H_k + Σ_{i→m} out_of·Â_mi G_m·H_i]`, `[N]`; 0 where d is 0."""
    _, degree = _scales(oracle)
    terms = adjacency.value * (upstream[adjacency.target] * h[adjacency.source]).sum(dim=1)
    sums = torch.zeros(adjacency.num_nodes, dtype=torch.float64)
    sums.index_add_(0, adjacency.target, into * terms)
    sums.index_add_(0, adjacency.source, out_of * terms)
    return torch.where(degree > 0, sums / (2 * degree), 0.0)


def _scales(oracle: Oracle) -> tuple[Tensor, Tensor]:
    """`d^-1/2` and d, each `[N]`."""
    _, target, weight = looped_edges(oracle.graph, oracle.self_loops)
    degree = in_degrees(target, weight, oracle.graph.num_nodes)
    return inverse_root(degree), degree


def _own_targets(oracle: Oracle) -> Tensor:
    """The target of each edge of the graph itself: `looped_edges` puts added loops at the end."""
    return oracle.adjacency.target[: oracle.graph.num_edges]


def _inflate(error: Tensor) -> Tensor:
    return error / (1 - error)


def _smallest(values: Tensor) -> Tensor:
    grid = granules(values).min() if values.numel() else torch.tensor(1.0, dtype=torch.float64)
    return torch.where(torch.isfinite(grid), grid, 1.0)
