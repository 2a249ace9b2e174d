"""A pytest plugin that registers GraphSAGE and GAT layers with one fault each, and clean ones, beside the real."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from mutants import SpoiltGradient, rounded
from torch.nn import functional

from gnnbench.reference import UnsupportedByBackend
from gnnbench.reference.gat import register_gat, unregister_gat
from gnnbench.reference.sage import register_sage, unregister_sage


def same(*arguments):
    return arguments if len(arguments) > 1 else arguments[0]


def with_loops(source, target, n):
    nodes = torch.arange(n)
    return torch.cat([source, nodes]), torch.cat([target, nodes])


def without_own_loops(source, target, n):
    kept = source != target
    return source[kept], target[kept]


def flipped(source, target, n):
    return target, source


def merged(source, target, n):
    return tuple(torch.unique(torch.stack([source, target]), dim=1))


def one_lost(source, target, n):
    # Not a duplicate, an own loop or the only one: the plainest lost edge there is.
    return source[:-1], target[:-1]


def keep_edges(source, target, n):
    return source, target


def ones_counted(dtype):
    """In-degrees as a 16-bit sum of ones, one after another as atomics add them."""

    def count(target, n):
        most = {torch.bfloat16: 256, torch.float16: 2048}[dtype]
        return torch.bincount(target, minlength=n).clamp(1, most).float()

    return count


def counted(target, n):
    return torch.bincount(target, minlength=n).clamp_min(1).float()


@dataclass(frozen=True)
class SageMutant:
    """Gather and scatter, in which each step can be spoilt. As it stands it is the clean twin."""

    name: str = "m_clean"
    edges: Callable = keep_edges
    count: Callable = counted
    weighted: bool = False
    operands: Callable = same
    messages: Callable = same
    total: Callable = same
    weights: Callable = same
    finish: Callable[[Any], Any] = same
    bias: Callable = same
    lost_gradient: bool = False

    def bind(self, graph, *, device, dtype):
        n = graph.num_nodes
        source, target = self.edges(*graph.edge_index, n)
        count = self.count(target, n)[:, None]
        weight = graph.weights()[:, None] if self.weighted else None

        def layer(x, weight_l, weight_r, bias):
            weight_l, weight_r = self.weights(weight_l, weight_r)
            messages = self.messages(x[source])
            messages = messages if weight is None else messages * weight
            mean = self.total(torch.zeros_like(x).index_add(0, target, messages)) / count
            if self.lost_gradient:
                mean = SpoiltGradient.apply(mean, lambda gradient: gradient * count)
            rounding = self.operands
            out = rounding(mean) @ rounding(weight_l) + rounding(x) @ rounding(weight_r) + self.bias(bias)
            return self.finish(out)

        return layer


def through(spoil):
    """Round in the forward pass, and let the gradient pass."""
    return lambda values: values + (spoil(values.detach()) - values.detach())


def crash(*_):
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def unsupported(*_):
    raise UnsupportedByBackend("no kernel for Tuesdays")


SAGES = (
    SageMutant(),
    SageMutant("m_sum", count=lambda target, n: torch.ones(n)),
    SageMutant("m_loops", edges=with_loops),
    SageMutant("m_no_own_loops", edges=without_own_loops),
    SageMutant("m_flipped", edges=flipped),
    SageMutant("m_merged", edges=merged),
    SageMutant("m_lost", edges=one_lost),
    SageMutant("m_weighted", weighted=True),
    SageMutant("m_plus_one", count=lambda target, n: counted(target, n) + 1),
    SageMutant("m_bf16_count", count=ones_counted(torch.bfloat16)),
    SageMutant("m_fp16_count", count=ones_counted(torch.float16)),
    SageMutant("m_half", messages=lambda rows: rows.half().float(), total=lambda rows: rows.half().float()),
    SageMutant("m_empty_nan", count=lambda target, n: torch.bincount(target, minlength=n).float()),
    SageMutant("m_swapped", weights=lambda left, right: (right, left)),
    SageMutant("m_no_root", weights=lambda left, right: (left, right * 0)),
    SageMutant("m_no_bias", bias=lambda bias: bias * 0),
    SageMutant("m_tf32", operands=through(rounded(11))),
    SageMutant("m_gradient", lost_gradient=True),
    SageMutant("m_float64", finish=lambda out: out.double()),
    SageMutant("m_detached", finish=lambda out: out.detach()),
    SageMutant("m_crash", finish=crash),
    SageMutant("m_unsupported", edges=unsupported),
)


def attended(source, target, n):
    return with_loops(*without_own_loops(source, target, n), n)


def then(change):
    """The right edges, spoilt."""
    return lambda source, target, n: change(*attended(source, target, n), n)


def highest(scores, target, n):
    start = scores.new_full((n, scores.shape[1]), -torch.inf)
    return start.scatter_reduce(0, target[:, None].expand_as(scores), scores, "amax")


def without_one(gradient):
    """One edge of all teaches attention nothing."""
    return torch.cat([torch.zeros_like(gradient[:1]), gradient[1:]])


def a_little_less(gradient):
    """One edge of all teaches attention less by 2^-13, as a 16-bit cast on the way would have it."""
    return torch.cat([gradient[:1] * (1 - 2**-13), gradient[1:]])


@dataclass(frozen=True)
class GatMutant:
    """Gather and scatter, in which each step can be spoilt. As it stands it is the clean twin."""

    name: str = "m_clean"
    edges: Callable = attended
    slope: float = 0.2
    maximum: Callable = lambda scores, target, n: highest(scores.detach(), target, n)
    softmax_over: str = "target"
    parameters: Callable = same
    heads: Callable = lambda h: h
    scores: Callable = same
    shares: Callable = same
    epsilon: float = 0.0
    operands: Callable = same
    average: Callable = lambda out: out.mean(1)
    finish: Callable = same

    def bind(self, graph, *, device, dtype, concat=True):
        n = graph.num_nodes
        source, target = self.edges(*graph.edge_index, n)
        segment = target if self.softmax_over == "target" else source

        def layer(x, weight, att_src, att_dst, bias):
            att_src, att_dst = self.parameters(att_src, att_dst)
            heads, channels = att_src.shape
            flat = self.operands(x) @ self.operands(weight)
            h = self.heads(flat.view(n, heads, channels))
            scores = (h * att_src).sum(2)[source] + (h * att_dst).sum(2)[target]
            scores = self.scores(functional.leaky_relu(scores, self.slope))
            p = (scores - self.maximum(scores, segment, n)[segment]).exp()
            total = torch.zeros(n, heads).index_add(0, segment, p) + self.epsilon
            share = self.shares(p / total[segment])
            out = torch.zeros_like(h).index_add(0, target, h[source] * share[:, :, None])
            return self.finish((out.flatten(1) if concat else self.average(out)) + bias)

        return layer


GATS = (
    GatMutant(),
    GatMutant("m_clean_maximum", maximum=highest),
    GatMutant("m_clean_ulps", shares=lambda shares: shares * (1 + 2**-22)),
    GatMutant("m_no_loops", edges=then(without_own_loops)),
    GatMutant("m_own_loops", edges=with_loops),
    GatMutant("m_flipped", edges=then(flipped)),
    GatMutant("m_merged", edges=then(merged)),
    GatMutant("m_lost", edges=lambda s, t, n: with_loops(*one_lost(*without_own_loops(s, t, n), n), n)),
    GatMutant("m_slope", slope=0.01),
    GatMutant("m_relu", slope=0.0),
    GatMutant("m_by_source", softmax_over="source"),
    GatMutant("m_no_maximum", maximum=lambda scores, target, n: scores.new_zeros(n, scores.shape[1])),
    GatMutant(
        "m_global_maximum",
        maximum=lambda scores, target, n: scores.detach().amax(0).expand(n, -1),
        epsilon=1e-16,
    ),
    GatMutant("m_heads", heads=lambda h: h.reshape(h.shape[0], h.shape[2], h.shape[1]).mT),
    GatMutant("m_head_order", parameters=lambda src, dst: (src.flip(0), dst.flip(0))),
    GatMutant("m_ends", parameters=lambda src, dst: (dst, src)),
    GatMutant("m_head_sum", average=lambda out: out.sum(1)),
    GatMutant("m_no_gradient", scores=lambda scores: scores.detach()),
    GatMutant("m_lost_attention", scores=lambda scores: SpoiltGradient.apply(scores, without_one)),
    GatMutant("m_less_attention", scores=lambda scores: SpoiltGradient.apply(scores, a_little_less)),
    GatMutant("m_epsilon", epsilon=1e-3),
    GatMutant("m_half_shares", shares=through(lambda shares: shares.half().float())),
    GatMutant("m_bf16_scores", scores=through(lambda scores: scores.bfloat16().float())),
    GatMutant("m_tf32", operands=through(rounded(11))),
    GatMutant("m_float64", finish=lambda out: out.double()),
    GatMutant("m_crash", finish=crash),
    GatMutant("m_unsupported", edges=unsupported),
)


def pytest_configure(config):
    for sage in SAGES:
        register_sage(sage)
    for gat in GATS:
        register_gat(gat)


def pytest_unconfigure(config):
    for sage in SAGES:
        unregister_sage(sage.name)
    for gat in GATS:
        unregister_gat(gat.name)
