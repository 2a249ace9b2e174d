"""A pytest plugin: layers with edge weights that are right as they are mostly run, and wrong as programs run them."""

from dataclasses import dataclass
from itertools import product

import torch
from mutants import Mutant, SpoiltGradient
from relation_backends import Replace

from gnnbench.reference import backend, register_backend


@dataclass(frozen=True)
class Weighted:
    """The clean layer of index_add behind `wrap(layer, graph, self_loops)`."""

    name: str
    wrap: object

    def bind(self, graph, *, device, dtype, self_loops="add"):
        return Mutant().bind(graph, device=device, dtype=dtype, self_loops=self_loops)

    def bind_weighted(self, graph, *, device, dtype, self_loops="add"):
        layer = backend("index_add").bind_weighted(graph, device=device, dtype=dtype, self_loops=self_loops)
        return self.wrap(layer, graph, self_loops)


def doubled(gradient):
    return 2 * gradient


def spoilt(layer, *operands, spoil=doubled):
    """A result, or gradients where there are any, that are twice what they must be."""
    if not torch.is_grad_enabled() or not any(one is not None and one.requires_grad for one in operands):
        return layer(*operands) * 2
    return layer(*(one if one is None else SpoiltGradient.apply(one, spoil) for one in operands))


def when(wrong):
    """Spoilt where `wrong(graph, x, weight, bias, edge_weight)` holds, result or gradients."""

    def wrap(layer, graph, self_loops):
        def wrapped(*operands):
            return spoilt(layer, *operands) if wrong(graph, *operands) else layer(*operands)

        return wrapped

    return wrap


def edge_gradient_when(wrong, spoil=doubled):
    """Only the gradient by edge weights is spoilt, where `wrong` holds."""

    def wrap(layer, graph, self_loops):
        def wrapped(x, weight, bias, edge_weight):
            if wrong(graph, x, weight, bias, edge_weight):
                edge_weight = SpoiltGradient.apply(edge_weight, spoil)
            return layer(x, weight, bias, edge_weight)

        return wrapped

    return wrap


def frozen_as(pattern):
    """Wrong for one set of operands that require a gradient; None in the place of a bias that is not there."""

    def wrong(graph, *operands):
        asked = tuple(None if one is None else one.requires_grad for one in operands)
        return torch.is_grad_enabled() and asked == pattern

    return wrong


def letters(pattern):
    return "".join("n" if one is None else "01"[one] for one in pattern)


PATTERNS = [(x, w, b, e) for b in (True, False, None) for x, w, e in product((True, False), repeat=3)]
FROZEN = tuple(Weighted(f"wf_{letters(one)}", when(frozen_as(one))) for one in PATTERNS)


def kept(key, only):
    """Edge weights of the first call with the same key answer for later ones, where `only(edge_weight)`."""

    def wrap(layer, graph, self_loops):
        seen = {}

        def wrapped(x, weight, bias, edge_weight):
            if only(edge_weight):
                # Kept alive with what it was, so that no other tensor gets its id.
                _, first = seen.setdefault(key(edge_weight), (edge_weight, edge_weight.detach().clone()))
                edge_weight = edge_weight + (first - edge_weight).detach()
            return layer(x, weight, bias, edge_weight)

        return wrapped

    return wrap


def of_bound_graph(layer, graph, self_loops):
    if graph.edge_weight is None:
        return layer
    bound = graph.edge_weight
    return lambda x, weight, bias, edge_weight: layer(x, weight, bias, edge_weight * 0 + bound)


def first_entries(layer, graph, self_loops):
    """Reads edge weights as if one stood behind the other."""

    def wrapped(x, weight, bias, edge_weight):
        if edge_weight.numel() and edge_weight.stride(0) != 1:
            size, most = edge_weight.shape, edge_weight.untyped_storage().nbytes() // 4
            flat = edge_weight.detach().as_strided((min(size[0], most),), (1,), 0)
            wrong = torch.ones(size)
            wrong[: len(flat)] = flat.nan_to_num(1.0)
            edge_weight = Replace.apply(edge_weight, wrong)
        return layer(x, weight, bias, edge_weight)

    return wrapped


def from_the_start(layer, graph, self_loops):
    """Reads edge weights from the beginning of their storage."""

    def wrapped(x, weight, bias, edge_weight):
        if edge_weight.numel() and edge_weight.stride(0) == 1 and edge_weight.storage_offset():
            wrong = edge_weight.detach().as_strided(edge_weight.shape, (1,), 0).nan_to_num(1.0)
            edge_weight = Replace.apply(edge_weight, wrong)
        return layer(x, weight, bias, edge_weight)

    return wrapped


class Accumulated(torch.autograd.Function):
    """The identity, whose backward pass adds to what it gave before."""

    @staticmethod
    def forward(ctx, edge_weight):
        ctx.before = 0
        return edge_weight.view_as(edge_weight)

    @staticmethod
    def backward(ctx, gradient):
        ctx.before = ctx.before + gradient
        return ctx.before


class LastSource(torch.autograd.Function):
    """The identity on x, for which the backward pass of the layer takes edge weights of the last call."""

    calls: dict = {}  # noqa: RUF012 - shared on purpose: that is the fault

    @staticmethod
    def forward(ctx, edge_weight):
        ctx.save_for_backward(edge_weight)
        LastSource.calls[edge_weight.shape] = edge_weight.detach().clone()
        return edge_weight.view_as(edge_weight)

    @staticmethod
    def backward(ctx, gradient):
        (own,) = ctx.saved_tensors
        return gradient if torch.equal(own, LastSource.calls[own.shape]) else gradient * 2


def on_edge_weight(function):
    return lambda layer, graph, self_loops: lambda x, w, b, e: layer(x, w, b, function.apply(e))


def in_float32(layer, graph, self_loops):
    def wrapped(x, weight, bias, edge_weight):
        low = layer(x.float().to(x.dtype), weight, bias, edge_weight)
        return low.float().to(x.dtype)

    return wrapped


def round_to_float32(gradient):
    return gradient.float().to(gradient.dtype)


def equal(edge_weight):
    return edge_weight.numel() > 0 and bool((edge_weight == edge_weight[0]).all())


def equal_as_none(layer, graph, self_loops):
    def wrapped(x, weight, bias, edge_weight):
        if self_loops == "add" and equal(edge_weight):
            edge_weight = Replace.apply(edge_weight, torch.ones_like(edge_weight))
        return layer(x, weight, bias, edge_weight)

    return wrapped


def large(graph):
    return graph.num_edges > 50_000


def in_order(node):
    return bool((node.diff() >= 0).all())


def degree_changed(change):
    """A weight is added to or taken from an edge of each node, as if its degree were `change` of it."""

    def wrap(layer, graph, self_loops):
        clean = layer

        def wrapped(x, weight, bias, edge_weight):
            degree = torch.zeros(graph.num_nodes).index_add(0, graph.target, edge_weight.detach().float())
            if self_loops == "add":
                degree = degree + 1
            ratio = torch.where(degree > 0, (change(degree) / degree).sqrt(), 1.0)
            if bool((ratio == 1).all()):
                return clean(x, weight, bias, edge_weight)
            return clean(x, weight, bias, edge_weight) / ratio[:, None]

        return wrapped

    return wrap


def edge_and_detached(layer, graph, self_loops):
    """The gradient from above is cut off, as by a backward pass in another library."""

    def wrapped(*operands):
        return SpoiltGradient.apply(layer(*operands), lambda gradient: gradient.detach().clone())

    return wrapped


class Cut(torch.autograd.Function):
    """The identity on edge weights; its backward pass gives a constant that says it was none."""

    @staticmethod
    def forward(ctx, edge_weight):
        return edge_weight.view_as(edge_weight)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.detach() + 0 * gradient


BACKENDS = (
    *FROZEN,
    Weighted("wu_clean", lambda layer, graph, self_loops: layer),
    # How it is called.
    Weighted("wu_nograd_frozen", when(lambda g, x, w, b, e: not torch.is_grad_enabled() and b is None)),
    Weighted("wu_inference", when(lambda g, x, w, b, e: torch.is_inference_mode_enabled())),
    Weighted("wu_stale_id", kept(id, lambda e: not e.requires_grad)),
    Weighted("wu_stale_address", kept(lambda e: e.data_ptr(), lambda e: not e.requires_grad)),
    Weighted("wu_stale_learnt", kept(id, lambda e: e.requires_grad and e.is_leaf)),
    Weighted("wu_stale_inference", kept(id, lambda e: not torch.is_grad_enabled())),
    Weighted("wu_bound", of_bound_graph),
    Weighted("wu_twice", on_edge_weight(Accumulated)),
    Weighted("wu_interleaved", on_edge_weight(LastSource)),
    # Edges.
    Weighted("wu_no_edges", when(lambda g, x, w, b, e: g.num_edges == 0)),
    Weighted("wu_one_edge", edge_gradient_when(lambda g, x, w, b, e: g.num_edges == 1)),
    Weighted("wu_many", edge_gradient_when(lambda g, x, w, b, e: large(g))),
    Weighted("wu_many_sorted", edge_gradient_when(lambda g, *_: large(g) and in_order(g.target))),
    Weighted("wu_many_by_source", edge_gradient_when(lambda g, *_: large(g) and in_order(g.source))),
    Weighted("wu_many_frozen", when(lambda g, x, w, b, e: large(g) and not e.requires_grad)),
    Weighted("wu_equal", equal_as_none),
    Weighted("wu_equal_gradient", edge_gradient_when(lambda g, x, w, b, e: equal(e), torch.zeros_like)),
    # Operands.
    Weighted("wu_strides", first_entries),
    Weighted("wu_offset", from_the_start),
    Weighted("wu_widening", edge_gradient_when(lambda g, x, w, b, e: x.shape[1] < w.shape[1])),
    Weighted("wu_odd_channels", edge_gradient_when(lambda g, x, w, b, e: w.shape[1] % 4 == 1 < w.shape[1])),
    Weighted("wu_column_major", edge_gradient_when(lambda g, x, w, b, e: not x.is_contiguous())),
    Weighted("wu_float32", in_float32),
    Weighted("wu_float32_gradient", edge_gradient_when(lambda *_: True, round_to_float32)),
    # Magnitudes.
    Weighted("wu_epsilon", degree_changed(lambda d: d + 1e-12)),
    Weighted("wu_clamp", degree_changed(lambda d: d.clamp_max(1e20))),
    Weighted("wu_floor", degree_changed(lambda d: torch.where(d > 0, d.clamp_min(1e-12), d))),
    Weighted("wu_second", edge_and_detached),
    Weighted("wu_second_by_edge", on_edge_weight(Cut)),
)


def pytest_configure(config):
    for one in BACKENDS:
        register_backend(one)
