"""Known ways of getting a GAT layer wrong, each as the result it would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gnnbench.numerics.gat.oracle import GatInputs, GatOracle
from gnnbench.numerics.rounding import round_significand

Fault = Callable[[GatOracle], GatOracle]
Edges = tuple[Tensor, Tensor]


def _edges(change: Callable[[GatOracle], Edges]) -> Fault:
    return lambda oracle: oracle.under(edges=change(oracle))


def _slope(slope: float) -> Fault:
    return lambda oracle: oracle.under(slope=slope)


def _without_loops(oracle: GatOracle) -> Edges:
    others = oracle.source != oracle.target
    return oracle.source[others], oracle.target[others]


def _own_loops_kept(oracle: GatOracle) -> Edges:
    source, target = oracle.graph.edge_index.detach().cpu()
    nodes = torch.arange(oracle.graph.num_nodes)
    return torch.cat([source, nodes]), torch.cat([target, nodes])


def _once(oracle: GatOracle) -> Edges:
    source, target = torch.unique(torch.stack([oracle.source, oracle.target]), dim=1)
    return source, target


def _inputs(change: Callable[[GatInputs], GatInputs], renamed: Mapping[str, str] | None = None) -> Fault:
    """With other operands; gradients of operands that changed places are found under the other's name."""

    def result(oracle: GatOracle) -> GatOracle:
        other = oracle.under(inputs=change(oracle.inputs))
        names = renamed or {}
        return replace(other, values={names.get(name, name): value for name, value in other.values.items()})

    return result


def _ends_swapped(inputs: GatInputs) -> GatInputs:
    return replace(inputs, att_src=inputs.att_dst, att_dst=inputs.att_src)


def _by_channel(inputs: GatInputs) -> GatInputs:
    """W's columns read as `[C, H]` where they are `[H, C]`."""
    heads, channels = inputs.att_src.shape
    weight = inputs.weight.view(-1, channels, heads).mT.reshape(inputs.weight.shape)
    return replace(inputs, weight=weight)


def _heads_of_attention_reversed(inputs: GatInputs) -> GatInputs:
    return replace(inputs, att_src=inputs.att_src.flip(0), att_dst=inputs.att_dst.flip(0))


def _biased(factor: float) -> Callable[[GatInputs], GatInputs]:
    return lambda inputs: inputs if inputs.bias is None else replace(inputs, bias=inputs.bias * factor)


def _rounded(bits: int) -> Callable[[GatInputs], GatInputs]:
    return lambda inputs: replace(
        inputs,
        x=round_significand(inputs.x, bits),
        weight=round_significand(inputs.weight, bits),
    )


#: A cause in words, and the layer as it would be with it; the likeliest first.
GAT_FAULTS: tuple[tuple[str, Fault], ...] = (
    ("self-loops are missing: nodes do not attend to themselves", _edges(_without_loops)),
    ("own self-loops were kept beside the one that each node gets", _edges(_own_loops_kept)),
    ("edges are followed backwards: nodes attend to whom they speak to", _edges(lambda o: (o.target, o.source))),
    ("duplicate edges are merged and count once", _edges(_once)),
    ("LeakyReLU has the slope 0.01, torch's default, and not 0.2", _slope(0.01)),
    ("scores below 0 are set to 0: ReLU in place of LeakyReLU", _slope(0.0)),
    ("scores are not put through LeakyReLU", _slope(1.0)),
    ("a_src and a_dst stand in each other's place",
     _inputs(_ends_swapped, {"da_src": "da_dst", "da_dst": "da_src"})),
    ("heads are mixed up: W's columns are read channel by channel", _inputs(_by_channel)),
    ("heads are mixed up: the last head's attention stands at the first", _inputs(_heads_of_attention_reversed)),
    ("the bias is missing", _inputs(_biased(0.0))),
    ("the bias is added twice", _inputs(_biased(2.0))),
    ("operands are rounded to 11 significant bits: TF32 or float16", _inputs(_rounded(11))),
    ("operands are rounded to 8 significant bits: bfloat16", _inputs(_rounded(8))),
)  # fmt: skip


def gat_alternatives(oracle: GatOracle) -> Iterator[tuple[str, GatOracle]]:
    """Each known fault, with what the layer would give under it."""
    for cause, fault in GAT_FAULTS:
        yield cause, fault(oracle)
    yield (
        "the softmax is over the out-edges of the source, not the in-edges of the target",
        _by_source(oracle),
    )


def _by_source(oracle: GatOracle) -> GatOracle:
    """The forward pass with shares that add up to 1 for each source; its gradients are not given."""
    inputs, source, target = oracle.inputs, oracle.source, oracle.target
    heads, channels = inputs.att_src.shape
    h = (inputs.x @ inputs.weight).view(-1, heads, channels)
    e = (h * inputs.att_src).sum(2)[source] + (h * inputs.att_dst).sum(2)[target]
    s = torch.where(e > 0, e, oracle.slope * e)
    p = (s - s.max()).exp()
    share = p / torch.zeros_like(h[:, :, 0]).index_add_(0, source, p)[source]
    out = torch.zeros_like(h).index_add_(0, target, share[:, :, None] * h[source])
    forward = out.flatten(1) if inputs.concat else out.mean(1)
    return replace(oracle, values={"forward": forward if inputs.bias is None else forward + inputs.bias})
