"""How far a correct layer may be from the float64 oracle, entry by entry.

The standard model of floating point arithmetic, `fl(a ∘ b) = (a ∘ b)(1 + δ)` with `|δ| ≤ u`, gives for a sum
of products evaluated with m roundings on each path

    |computed - exact| ≤ ε/(1 - ε) · M      M = the same sum over absolute values      ε = g(m)·u

(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1). The model leaves out
underflow, so inputs should keep their products above 1e-38; exact zeros do no harm. All is in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.numerics.adjacency import Adjacency, in_degrees, looped_edges
from gnnbench.numerics.host import judging
from gnnbench.numerics.layer import QUANTITIES, Quantity
from gnnbench.numerics.oracle import Oracle

#: λ of the probabilistic bound. By Azuma's inequality one entry exceeds λ√m·u with probability at most
#: 2·exp(-λ²/2) (Higham & Mary, SIAM J. Sci. Comput. 41, 2019; Ipsen & Zhou, arXiv 1906.10465): 2.5e-14 for
#: 8, so below 1e-6 over fifty thousand entries in each of eight hundred checks.
LAMBDA = 8.0

#: Roundings, in units of u, in a computed d^-1/2. CUDA's powf errs by at most 4 ulp (CUDA C++ Programming
#: Guide, "Mathematical Functions"; rsqrtf by 2), and an ulp is at most 2u relative to the value.
INVERSE_ROOT_ROUNDINGS = 8

#: Sums of ones are exact in float32 up to here, so unweighted degrees are.
_EXACT_COUNT = 2.0**24


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionMode:
    """How a device rounds in one mode of operation."""

    name: str
    u: float
    """Unit roundoff of products, sums and stores outside the dense product."""
    u_in: float
    """Relative rounding of each operand of the dense product before it is multiplied; 0 for none."""
    u_acc: float
    """Unit roundoff with which products are accumulated."""


#: IEEE binary32, round to nearest: u = 2^-24.
FP32 = PrecisionMode(name="fp32", u=2.0**-24, u_in=0.0, u_acc=2.0**-24)

#: IEEE binary64: u = 2^-53.
FP64 = PrecisionMode(name="fp64", u=2.0**-53, u_in=0.0, u_acc=2.0**-53)

#: TF32 keeps 10 of 23 fraction bits of each operand: 2^-11 where the device rounds to nearest, 2^-10 where it
#: truncates, and which of the two depends on the generation; tensor cores accumulate with truncation, hence
#: 2^-23 (Blanchard et al., SIAM J. Sci. Comput. 42, 2020, 10.1137/19M1289546; Khattak & Mikaitis, arXiv
#: 2512.07004).
TF32 = PrecisionMode(name="tf32", u=2.0**-24, u_in=2.0**-10, u_acc=2.0**-23)


def growth(roundings: Tensor, spread: Tensor | None = None) -> Tensor:
    """g(m): by how many u a sum of m roundings may be off.

    m is certain; λ√m is all but certain, and smaller from m = λ² = 64 on, where each rounding goes its own way.

    Equal numbers do not: added one after the other, each is rounded as the one before until the sum passes a
    power of 2. Of roundings that fall into groups of r_1, r_2, … that may go one way together, Azuma's
    inequality bounds the sum by λ√(Σ r_k²)·u, and Σ r_k² is what `spread` says.
    """
    spread = roundings if spread is None else spread
    return torch.minimum(roundings, LAMBDA * spread.sqrt())


@judging
def gcn_bound(oracle: Oracle, quantity: Quantity, mode: PrecisionMode = FP32) -> Tensor:
    """The largest error that rounding explains, for each entry of `quantity`, as float64 of its shape.

    It holds for `Â(XW)` and `(ÂX)W`, for any order of summation, for dense and sparse Â, and with Â's
    entries multiplied out or its factors d^-1/2 applied apart.

    Raises:
        ValueError: for an unknown quantity, or `db` of a layer without bias.
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity: expected one of {', '.join(QUANTITIES)}, found {quantity!r}")
    oracle.of(quantity)
    return {"forward": _forward, "dX": _dx, "dW": _dw, "db": _db}[quantity](oracle, mode)


def gcn_bounds(oracle: Oracle, mode: PrecisionMode = FP32) -> dict[Quantity, Tensor]:
    """The bounds of all quantities that the layer has."""
    return {
        quantity: gcn_bound(oracle, quantity, mode)
        for quantity in QUANTITIES
        if getattr(oracle, quantity) is not None
    }


def _forward(oracle: Oracle, mode: PrecisionMode) -> Tensor:
    """M = |Â|(|X||W|) + |b|, m_i = K_i + n_i + 1: inner products of length K_i, n_i messages, the bias."""
    x, w = oracle.inputs.x.abs(), oracle.inputs.weight.abs()
    adjacency = oracle.adjacency
    # Row i of ÂX may be as full as all its neighbours' rows together, so Σ and not max of their nonzeros:
    # the maximum would cover Â(XW) alone.
    inner = (adjacency.pattern @ _count_nonzero(x, dim=1)[:, None])[:, 0].clamp_max(x.shape[1])
    roundings = inner + adjacency.row_counts + 1
    error = _entries(mode) + growth(roundings, inner + message_spread(adjacency) + 1) * mode.u_acc
    messages = x @ w
    magnitude = adjacency.absolute @ messages
    total = magnitude if oracle.inputs.bias is None else magnitude + oracle.inputs.bias.abs()
    return _inflate(error)[:, None] * total + _degree_error(oracle, adjacency, messages, magnitude, mode)


def _dx(oracle: Oracle, mode: PrecisionMode) -> Tensor:
    """M = |Âᵀ||G||W|ᵀ, m_i = C + nᵀ_i + 1."""
    adjacency = oracle.adjacency.transpose
    messages = oracle.inputs.upstream.abs() @ oracle.inputs.weight.abs().T
    inner = oracle.inputs.weight.shape[1]
    roundings = inner + adjacency.row_counts + 1
    error = _entries(mode) + growth(roundings, inner + message_spread(adjacency) + 1) * mode.u_acc
    magnitude = adjacency.absolute @ messages
    return _inflate(error)[:, None] * magnitude + _degree_error(oracle, adjacency, messages, magnitude, mode)


def _dw(oracle: Oracle, mode: PrecisionMode) -> Tensor:
    """M = |X|ᵀ|Âᵀ||G|, m = (row of Âᵀ or Â on the way) + (rows that reach feature k) + 1.

    `Xᵀ(ÂᵀG)` sums over the nodes that have feature k, `(ÂX)ᵀG` over those that have a neighbour with it: the
    larger of the two bounds. Each row counts with its own length, for most are shorter than the longest.
    """
    x, upstream = oracle.inputs.x.abs(), oracle.inputs.upstream.abs()
    adjacency, back = oracle.adjacency, oracle.adjacency.transpose
    present, reached = (x != 0).double(), adjacency.pattern @ (x != 0).double()
    aggregated = back.absolute @ upstream
    total = torch.maximum(
        (x * _inflate(_way(back, _count_nonzero(present, dim=0), mode))).T @ aggregated,
        (adjacency.absolute @ x * _inflate(_way(adjacency, _count_nonzero(reached, dim=0), mode))).T
        @ upstream,
    )
    return total + x.T @ _degree_error(oracle, back, upstream, aggregated, mode)


def _way(adjacency: Adjacency, nodes: Tensor, mode: PrecisionMode) -> Tensor:
    """ε of a term that is summed along a row and then with those of `nodes` other rows: `[N, F]`."""
    roundings = adjacency.row_counts[:, None] + nodes + 1
    spread = message_spread(adjacency)[:, None] + nodes + 1
    return _entries(mode) + growth(roundings, spread) * mode.u_acc


def _db(oracle: Oracle, mode: PrecisionMode) -> Tensor:
    """M = Σ_i |G_i|, m = N: a plain sum in float32, whatever the dense product does."""
    nodes = torch.tensor(float(oracle.inputs.upstream.shape[0]), dtype=torch.float64)
    return _inflate(growth(nodes) * mode.u) * oracle.inputs.upstream.abs().sum(dim=0)


def _entries(mode: PrecisionMode) -> float:
    """Relative error of one term before it is summed.

    Â_ij is two inverse roots and two products; each operand of the dense product is rounded by u_in.
    """
    return (2 * INVERSE_ROOT_ROUNDINGS + 2) * mode.u + 2 * mode.u_in + mode.u_in**2


def _degree_error(
    oracle: Oracle, adjacency: Adjacency, messages: Tensor, magnitude: Tensor, mode: PrecisionMode
) -> Tensor:
    """What rounded degree sums add: Σ_j |Â_ij| (δ_i + δ_j) h_j, δ the relative error of d^-1/2."""
    delta = degree_error(oracle, mode)[:, None]
    if not bool(delta.any()):
        return torch.zeros_like(magnitude)
    return delta * magnitude + adjacency.absolute @ (delta * messages)


def degree_error(oracle: Oracle, mode: PrecisionMode = FP32) -> Tensor:
    """float64 `[N]`: the relative error of d^-1/2 that a rounded sum d brings.

    A sum of n weights errs by g(n)·u·Σ|w|; relative to d itself that is Σ|w|/|d| as much, and the inverse
    root halves it. Equal weights round alike, whatever node they come from. All edges into a node count, also
    those whose Â is 0 because their source has no degree. Unweighted degrees are exact.
    """
    graph = oracle.graph
    _, target, weight = looped_edges(graph, oracle.self_loops)
    counts = in_degrees(target, (weight != 0).double(), graph.num_nodes)
    if not graph.is_weighted and float(counts.max() if counts.numel() else 0) < _EXACT_COUNT:
        return torch.zeros_like(counts)
    spread = _spread(graph.num_nodes, target, weight)
    return _inflate(growth(counts, spread) * mode.u) * _cancellation(oracle) / 2


def message_spread(adjacency: Adjacency) -> Tensor:
    """Σ r_k² of each row, as float64 `[N]`: equal terms of a sum are duplicate edges of one weight.

    Terms from different nodes are taken to differ, as they do with operands that are drawn at random.
    """
    return _spread(adjacency.num_nodes, adjacency.target, adjacency.value, adjacency.source)


def _spread(num_rows: int, row: Tensor, value: Tensor, *keys: Tensor) -> Tensor:
    """Σ r_k² of each row, as float64 `[num_rows]`, r_k of its nonzero entries agreeing in value and all `keys`.

    The number of entries where no two agree.
    """
    keys = tuple(key[value != 0] for key in (row, value, *keys))
    order = torch.arange(keys[0].shape[0])
    for key in reversed(keys):
        order = order[key[order].argsort(stable=True)]
    first = torch.ones(order.shape[0], dtype=torch.bool)
    first[1:] = torch.stack([key[order].diff() != 0 for key in keys]).any(dim=0)
    together = torch.bincount(first.cumsum(0) - 1).double()
    spread = torch.zeros(num_rows, dtype=torch.float64)
    return spread.index_add_(0, keys[0][order][first], together.square())


def _cancellation(oracle: Oracle) -> Tensor:
    """Σ|w| / |Σw| of the edges into each node: 1 unless weights of both signs meet there."""
    graph = oracle.graph
    if graph.edge_weight is None or not bool((graph.edge_weight < 0).any()):
        return torch.ones(graph.num_nodes, dtype=torch.float64)
    _, target, weight = looped_edges(graph, oracle.self_loops)
    degree = in_degrees(target, weight, graph.num_nodes)
    absolute = in_degrees(target, weight.abs(), graph.num_nodes)
    return torch.where(degree > 0, absolute / degree, 1.0)


def _inflate(error: Tensor) -> Tensor:
    """ε/(1 - ε): from a first-order sum of relative errors to a bound on their product."""
    return error / (1 - error)


def _count_nonzero(x: Tensor, dim: int) -> Tensor:
    return (x != 0).sum(dim=dim).double()
