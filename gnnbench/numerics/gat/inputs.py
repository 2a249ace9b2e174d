"""Seeded operands of GAT layers, and whether a probe with them is exact in float32."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.numerics.exact import SIGNIFICAND
from gnnbench.numerics.gat.oracle import GatInputs, GatOracle
from gnnbench.numerics.host import judging
from gnnbench.numerics.inputs import rademacher, real_inputs


def real_gat_inputs(
    num_nodes: int,
    features: int,
    channels: int,
    *,
    heads: int,
    concat: bool = True,
    scale: float = 1.0,
    seed: int = 0,
) -> GatInputs:
    """Real numbers, float32: X, W and b as `real_inputs` has them, a uniform in ±√(6/(1+C)) times `scale`.

    With a scale of 1 scores are about as large as features, and shares differ by factors; with 100 they pass
    what float32 can exponentiate, with either sign. a_src and a_dst differ. G is ±1.
    """
    transform = real_inputs(num_nodes, features, heads * channels, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    limit = scale * (6 / (1 + channels)) ** 0.5
    width = heads * channels if concat else channels
    return GatInputs(
        x=transform.x,
        weight=transform.weight,
        att_src=(torch.rand(heads, channels, generator=generator) * 2 - 1) * limit,
        att_dst=(torch.rand(heads, channels, generator=generator) * 2 - 1) * limit,
        bias=torch.randn(width, generator=generator),
        upstream=rademacher(num_nodes, width, generator),
        concat=concat,
    )


def equal_gat_inputs(num_nodes: int, *, heads: int = 2, concat: bool = True, seed: int = 0) -> GatInputs:
    """Whole numbers, float32, with which every node attends to all it hears alike, F = 4 and C = 4.

    Channel 0 of each head of XW is 1, and a_src is 8 or 4 there, by turns, and 0 elsewhere; a_dst weighs another
    channel. So a score is 8 or 4 and a number of the target's own, no less than -3: all are positive, where
    LeakyReLU has slope 1. The shares are 1/n_i, and whatever a_dst says they stay so: its gradient is 0. Where all
    n_i are powers of two nothing rounds, forward or backward.
    """
    generator = torch.Generator().manual_seed(seed)
    features, channels = 4, 4
    x = torch.randint(-1, 2, (num_nodes, features), generator=generator).float()
    weight = rademacher(features, heads * channels, generator).view(features, heads, channels)
    x[:, 0], weight[:, :, 0], weight[0], weight[0, :, 0] = 1, 0, 0, 1
    att_src = torch.zeros(heads, channels)
    att_src[::2, 0], att_src[1::2, 0] = 8, 4
    width = heads * channels if concat else channels
    return GatInputs(
        x=x,
        weight=weight.flatten(1),
        att_src=att_src,
        # Three features besides the one that is 1 throughout: no entry of XW is below -3.
        att_dst=torch.tensor([0.0, 1.0, 0.0, 0.0]).repeat(heads, 1),
        bias=torch.randint(-4, 5, (width,), generator=generator).float(),
        upstream=rademacher(num_nodes, width, generator),
        concat=concat,
    )


def require_equal_shares(oracle: GatOracle) -> None:
    """Make sure that the shares of every node are equal and powers of two, and that LeakyReLU changes nothing.

    Raises:
        ValueError: naming what is not so.
    """
    inputs = oracle.inputs
    h = (inputs.x @ inputs.weight).view(-1, *inputs.att_src.shape)
    heard, hears = (h * inputs.att_src).sum(2), (h * inputs.att_dst).sum(2)
    if not bool((heard == heard[:1]).all()) or not bool((heard + hears > 0).all()):
        raise ValueError("att_src: expected one positive score for all edges into a node, found others")
    count = torch.bincount(oracle.target, minlength=oracle.graph.num_nodes).double()
    if not bool((torch.frexp(count)[0] == 0.5).all()):
        raise ValueError("graph: expected in-degrees, loops included, that are powers of 2, found others")


@judging
def gat_headroom(oracle: GatOracle) -> dict[str, float]:
    """For each quantity, the largest partial sum that any order can meet, as a share of what float32 holds.

    For whole operands and equal shares 1/n (see `require_equal_shares`): forward all terms are multiples of 1/n,
    backward of 1/n², which the derivative of a quotient has, and of 1/H of that where heads are averaged.
    """
    inputs, source, target = oracle.inputs, oracle.source, oracle.target
    num_nodes = oracle.graph.num_nodes
    heads, channels = inputs.att_src.shape
    x, w = inputs.x.abs(), inputs.weight.abs()
    a_src, a_dst = inputs.att_src.abs(), inputs.att_dst.abs()
    count = torch.bincount(target, minlength=num_nodes).double()
    share = (1 / count)[target, None]

    def collect(rows: Tensor, index: Tensor) -> Tensor:
        return torch.zeros(num_nodes, *rows.shape[1:], dtype=torch.float64).index_add_(0, index, rows)

    h = (x @ w).view(num_nodes, heads, channels)
    forward = collect(share[:, :, None] * h[source], target)
    g = inputs.upstream.abs()
    g = g.view(num_nodes, heads, channels) if inputs.concat else (g / heads)[:, None].expand_as(h)
    d_share = (g[target] * h[source]).sum(2)
    d_s = share * (d_share + collect(share * d_share, target)[target])
    r, t = collect(d_s, source)[:, :, None], collect(d_s, target)[:, :, None]
    d_h = (collect(share[:, :, None] * g[target], source) + r * a_src + t * a_dst).flatten(1)
    finest = float(count.max()) ** 2 * (1 if inputs.concat else heads) if num_nodes else 1.0
    sums = {
        "forward": (forward + (0 if inputs.bias is None else inputs.bias.abs().max())) * finest,
        "dX": d_h @ w.T * finest,
        "dW": x.T @ d_h * finest,
        "da_src": (r * h).sum(0) * finest,
        "da_dst": (t * h).sum(0) * finest,
        "db": g.sum(0),
    }
    return {name: float(sums[name].max()) / SIGNIFICAND for name in oracle.values}
