"""How far a correct GAT layer may be from the float64 oracle, entry by entry.

A running error analysis (see `numerics.running`): each stage of the layer and of its backward pass is taken
on numbers that carry their error. What is special to attention stands here.

**The softmax.** Subtracting a number from all scores of a node changes no share, whatever error that number
has, so of the subtraction only its own rounding counts: u|s - max|. With ε_ij the absolute error of a score,
that rounding and the relative error of exp together, an exponential is off by a factor 1 + θ_ij, |θ_ij| ≤
e^ε_ij - 1. It stands above the fraction and below it, so that

    α̂_ij - α_ij = α_ij ((1 - α_ij) θ_ij - Σ_{k≠j} α_ik θ_ik) / (1 + Σ_k α_ik θ_ik)

whose absolute value is at most that with |θ|, both signs +, and the denominator 1 - Σ α|θ|: a share near 1
hardly errs. To this come the n_i additions of the sum and the quotient. PyG adds 1e-16 to a sum that is at
least 1: less than half an ulp, so one addition more. Exponentials underflow below e^-87: 2^-126 of a share at
most, for the sum is 1 or more. Where scores are so large that ε reaches 1/2 the share may be anything.

**The maximum.** Implementations that do not subtract it give the same shares until they overflow. Those that
differentiate it as well add to the gradient of the highest score minus the sum of that node's ds, which is
zero but for rounding; where a score may be the highest, the errors of its node's ds count in full.

**LeakyReLU.** Its slope is 1 or 0.2, so it passes errors on no larger than they are; the product with 0.2,
which float32 does not hold, rounds twice. Its derivative jumps at 0: where a score is within its error of 0
either slope is right, and the difference, 0.8 of ds, is in the bound.

**Orders of evaluation** that are covered: scores as `(x W) a` and as `x (W a)`, as two inner products and as
one of 2C; shares divided before the weighted sum or after; in the backward pass Σ_k α_ik dα_ik and G_i·out_i;
the derivative of a quotient in one expression or in the four roundings more that autograd takes for it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.numerics.gat.oracle import GatOracle
from gnnbench.numerics.host import judging
from gnnbench.numerics.running import TINY, Approximate, U

#: Relative error of exp(d) in units of u: expf errs by at most 2.32 ulp on CUDA, here 3; an exponential taken
#: as 2^(d log2 e), as CUDA's __expf and Triton's exp do, by 1.173|d| ulp more (CUDA C++ Programming Guide,
#: "Mathematical Functions"). An ulp is at most 2u of the value. Large |d| are small shares.
EXP_ROUNDINGS, EXP_ROUNDINGS_PER_UNIT = 6.0, 2.346

#: Roundings that autograd takes to differentiate p/Σp as two expressions, beyond those of the formula.
_QUOTIENT = 4


@judging
def gat_bounds(oracle: GatOracle) -> dict[str, Tensor]:
    """The largest error that rounding in float32 explains, for each entry of each quantity the layer has."""
    return {name: tracked.error for name, tracked in track(oracle).items()}


def gat_bound(oracle: GatOracle, quantity: str) -> Tensor:
    """One of them, as float64 of its shape.

    Raises:
        ValueError: for an unknown quantity, or `db` of a layer without bias.
    """
    if quantity not in oracle.values:
        raise ValueError(f"quantity: expected one of {', '.join(oracle.values)}, found {quantity!r}")
    return gat_bounds(oracle)[quantity]


def track(oracle: GatOracle) -> dict[str, Approximate]:
    """Every quantity with its error; the values are the oracle's, computed once more."""
    inputs, source, target = oracle.inputs, oracle.source, oracle.target
    heads, channels = inputs.att_src.shape
    num_nodes = oracle.graph.num_nodes
    x, w = Approximate.exact(inputs.x), Approximate.exact(inputs.weight)
    a_src, a_dst = Approximate.exact(inputs.att_src), Approximate.exact(inputs.att_dst)

    h = (x @ w).view(num_nodes, heads, channels)
    # Each inner product counted as one of 2C, which it is where a is applied to both ends at once.
    e = _inner(h, a_src).at(source) + _inner(h, a_dst).at(target)
    share = _softmax(_leaky(e, oracle.slope), target, num_nodes)
    out = (share.unsqueeze(2) * h.at(source)).scatter(target, num_nodes)
    # The share's own division may come after the sum: the same roundings in another order.
    forward = out.view(num_nodes, heads * channels) if inputs.concat else _average(out)
    if inputs.bias is not None:
        forward = forward + Approximate.exact(inputs.bias)

    g = Approximate.exact(inputs.upstream)
    if inputs.concat:
        g = g.view(num_nodes, heads, channels)
    else:
        one = g.scaled(1 / heads).unsqueeze(1)
        g = Approximate(*(part.expand(-1, heads, -1) for part in (one.value, one.error, one.size)))
    d_share = (g.at(target) * h.at(source)).sum(2)
    mixed = (share * d_share).scatter(target, num_nodes)
    d_s = _with_differentiated_maximum(
        (share * (d_share - mixed.at(target))).rounded(_QUOTIENT),
        _leaky(e, oracle.slope),
        target,
        num_nodes,
    )
    d_e = _through_leaky(d_s, e, oracle.slope)
    r, t = d_e.scatter(source, num_nodes).unsqueeze(2), d_e.scatter(target, num_nodes).unsqueeze(2)
    heard = (share.unsqueeze(2) * g.at(target)).scatter(source, num_nodes)
    d_h = (heard + r * a_src + t * a_dst).view(num_nodes, heads * channels)
    tracked = {
        "forward": forward,
        "dX": d_h @ w.mT,
        "dW": x.mT @ d_h,
        "da_src": (r * h).sum(0),
        "da_dst": (t * h).sum(0),
    }
    if inputs.bias is not None:
        tracked["db"] = Approximate.exact(inputs.upstream).sum(0)
    return tracked


def _inner(h: Approximate, a: Approximate) -> Approximate:
    """a·h over the channels, with the roundings of an inner product twice as long."""
    return (h * a).sum(2).rounded(h.value.shape[2])


def _average(out: Approximate) -> Approximate:
    return out.sum(1).scaled(1 / out.value.shape[1])


def _leaky(e: Approximate, slope: float) -> Approximate:
    """LeakyReLU: errors shrink only where the score is below 0 beyond its error."""
    below = e.value <= 0
    factor = _slopes(e.value + e.error > 0, slope)
    value = torch.where(below, slope * e.value, e.value)
    return Approximate.of(value, factor * e.error + 2 * U * value.abs(), factor * e.size)


def _through_leaky(d_s: Approximate, e: Approximate, slope: float) -> Approximate:
    """Times LeakyReLU'(e), which is uncertain where e is within its error of 0."""
    factor = _slopes(e.value > 0, slope)
    uncertain = e.value.abs() <= e.error
    size = torch.where(uncertain, 1.0, factor) * d_s.size
    error = torch.where(uncertain, d_s.error + (1 - slope) * d_s.size, factor * d_s.error)
    return Approximate.of(factor * d_s.value, error + 2 * U * size, size)


def _slopes(above: Tensor, slope: float) -> Tensor:
    # torch.where of two numbers would be float32, which does not hold 0.2.
    return torch.full(above.shape, slope, dtype=torch.float64).masked_fill_(above, 1.0)


def _softmax(s: Approximate, target: Tensor, num_nodes: int) -> Approximate:
    """The shares of each node, with all that the module's text says of them."""
    distance = _highest(s.value, target, num_nodes)[target] - s.value
    # Computed scores and computed maximum are both off by the largest error of the node at most.
    farthest = distance + 2 * _highest(s.error, target, num_nodes)[target]
    epsilon = s.error + U * farthest + (EXP_ROUNDINGS + EXP_ROUNDINGS_PER_UNIT * farthest) * U
    p = Approximate.exact((-distance).exp())
    total = p.scatter(target, num_nodes).rounded(1).at(target)
    share = p.value / total.value
    factor = epsilon.clamp_max(1.0).expm1()
    others = Approximate.exact(share * factor).scatter(target, num_nodes).value[target]
    error = share * ((1 - share) * factor + others - share * factor) / (1 - others).clamp_min(TINY)
    # The sum, the quotient, and what underflow takes.
    rounding = total.error / (total.value - total.error) + U
    error = (error + (share + error) * rounding + TINY) / (1 - U)
    # A share is at most 1, so where scores are off by 1 and more it may be anything up to that.
    hopeless = _highest(epsilon, target, num_nodes)[target] >= 0.5
    return Approximate.of(share, torch.where(hopeless, 1.0, error).clamp_max(1.0) + 4 * U * share, share)


def _with_differentiated_maximum(
    d_s: Approximate, s: Approximate, target: Tensor, num_nodes: int
) -> Approximate:
    """With the errors of its whole node added where a score may be the highest."""
    lowest_highest = _highest(s.value - s.error, target, num_nodes)[target]
    nothing = torch.zeros(num_nodes, d_s.error.shape[1], dtype=torch.float64)
    all_of_node = nothing.index_add_(0, target, d_s.error)[target]
    error = d_s.error + torch.where(s.value + s.error >= lowest_highest, all_of_node, 0.0)
    return Approximate.of(d_s.value, error, d_s.size)


def _highest(values: Tensor, target: Tensor, num_nodes: int) -> Tensor:
    """`[N, H]`; every node attends to itself at least."""
    highest = torch.full((num_nodes, values.shape[1]), -torch.inf, dtype=torch.float64)
    return highest.scatter_reduce_(0, target[:, None].expand_as(values), values, "amax")
