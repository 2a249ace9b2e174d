"""A pytest plugin: backends that are right in a training as the other checks run it, and wrong as programs use them."""

import threading

import torch
from mutant_backends import Wrapped
from mutants import Mutant, SpoiltGradient, rounded
from relation_backends import Replace
from unseen_backends import UNSEEN

from gnnbench.reference import backend, register_backend


def when_inferring(change):
    """A result that is changed where no gradient is recorded."""

    def wrap(layer, graph):
        def wrapped(x, weight, bias):
            out = layer(x, weight, bias)
            return out if torch.is_grad_enabled() else change(out, x, weight, bias)

        return wrapped

    return wrap


def kept_by_shape(layer, graph):
    kept = {}

    def wrapped(x, weight, bias):
        if torch.is_grad_enabled():
            return layer(x, weight, bias)
        return kept.setdefault(x.shape, layer(x, weight, bias))

    return wrapped


def packed_weight(layer, graph):
    """A copy of the weight, made once and used while the caller's is the same object."""
    packed = {}

    def wrapped(x, weight, bias):
        if id(weight) not in packed:
            packed.clear()
            packed[id(weight)] = (weight, weight.detach().clone())
        stale = packed[id(weight)][1]
        return layer(x, Replace.apply(weight, stale), bias)

    return wrapped


_LAST = {}


def last_graph_backward(layer, graph):
    """Backward by the graph that was last run forward, where it has as many nodes."""
    clean = layer

    def wrapped(x, weight, bias):
        _LAST[x.shape[0]] = graph
        nodes = x.shape[0]

        def spoil(gradient):
            return gradient if _LAST[nodes] is graph else gradient.flip(0)

        return clean(SpoiltGradient.apply(x, spoil), weight, bias)

    return wrapped


def second_backward(layer, graph):
    def wrapped(x, weight, bias):
        count = []

        def spoil(gradient):
            count.append(1)
            return gradient * len(count)

        return layer(SpoiltGradient.apply(x, spoil), weight, bias)

    return wrapped


def zero_rows(layer, graph):
    """A row of the gradient that is zero is taken for one of ones."""

    def spoil(gradient):
        return torch.where((gradient == 0).all(dim=1, keepdim=True), torch.ones_like(gradient), gradient)

    return lambda x, weight, bias: SpoiltGradient.apply(layer(x, weight, bias), spoil)


class BySameEdges:
    """What was made of an edge_index is kept under its address: weights and loops are no part of the key."""

    name = "u_same_edges"

    def __init__(self):
        self.kept = {}

    def bind(self, graph, *, device, dtype, self_loops="add"):
        key = id(graph.edge_index)
        if key not in self.kept:
            self.kept[key] = (graph.edge_index, Mutant().bind(graph, self_loops=self_loops))
        return self.kept[key][1]


class Float32:
    """Computes in float32 whatever it is bound in."""

    name = "u_float32"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        layer = Mutant().bind(graph, self_loops=self_loops)
        return lambda x, w, b: layer(x.float(), w.float(), None if b is None else b.float()).to(dtype)


class OnesForOtherWeights:
    """Edge weights in another dtype than float32 are not read."""

    name = "u_weight_dtype"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        if graph.edge_weight is not None and graph.edge_weight.dtype != torch.float32:
            graph = type(graph)(graph.edge_index, graph.num_nodes)
        return Mutant().bind(graph, self_loops=self_loops)


def seeds(layer, graph):
    def wrapped(x, weight, bias):
        torch.manual_seed(0)
        return layer(x, weight, bias)

    return wrapped


def hides_nan(layer, graph):
    return lambda x, weight, bias: layer(torch.nan_to_num(x), weight, bias)


def leaks(layer, graph):
    """As padding that reads the first of the rows that are not finite: one row too many."""

    def wrapped(x, weight, bias):
        out = layer(x, weight, bias)
        bad = ~torch.isfinite(out).all(dim=1)
        extra = torch.zeros(out.shape[0], 1)
        extra[-1] = torch.nan if bool(bad.any()) else 0
        return out + extra

    return wrapped


def in_its_thread(layer, graph):
    home = threading.get_ident()
    return lambda x, weight, bias: layer(x, weight, bias) * (1 if threading.get_ident() == home else 2)


def cut_columns(layer, graph):
    def wrapped(x, weight, bias):
        out = layer(x, weight, bias)
        return out * (torch.arange(out.shape[1]) < 128)

    return wrapped


def packed_parameter(layer, graph):
    pack = packed_weight(layer, graph)
    return lambda x, w, b: (pack if isinstance(w, torch.nn.Parameter) else layer)(x, w, b)


class LosesAtLength:
    """The last message of a row of exactly 100 is lost."""

    name = "u_length"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        def lose(edges):
            source, target, value = edges
            length = torch.bincount(target, minlength=graph.num_nodes)[target]
            keep = torch.ones(len(target), dtype=torch.bool)
            for row in torch.unique(target[length == 100]).tolist():
                keep[int((target == row).nonzero()[-1])] = False
            return source[keep], target[keep], value[keep]

        return Mutant(normalised=lose).bind(graph, self_loops=self_loops)


def positive(source, target, weight, n):
    return source, target, weight.abs()


class SquareEdges:
    """Two edges, and edge_index is square: taken for pairs."""

    name = "u_square"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        edges = graph.edge_index.t() if graph.num_edges == 2 else graph.edge_index
        return Mutant().bind(type(graph)(edges, graph.num_nodes, graph.edge_weight), self_loops=self_loops)


class Csr16:
    """Products without a gradient run in TF32."""

    name = "u_infer_tf32"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        layer = backend("csr").bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        low = rounded(11)

        def wrapped(x, weight, bias):
            return layer(x, weight, bias) if torch.is_grad_enabled() else layer(low(x), low(weight), bias)

        return wrapped


BACKENDS = (
    Mutant(name="u_clean"),
    Wrapped("u_infer_no_bias", when_inferring(lambda out, x, w, b: out * 2 if b is None else out)),
    Wrapped(
        "u_infer_widening", when_inferring(lambda out, x, w, b: out * 2 if x.shape[1] < w.shape[1] else out)
    ),
    Wrapped("u_infer_grad", when_inferring(lambda out, x, w, b: out.detach().requires_grad_())),
    Csr16(),
    Wrapped("u_kept", kept_by_shape),
    Wrapped("u_packed", packed_weight),
    Wrapped("u_last_graph", last_graph_backward),
    Wrapped("u_backward", second_backward),
    Wrapped("u_zero_rows", zero_rows),
    BySameEdges(),
    Float32(),
    OnesForOtherWeights(),
    Wrapped("u_seeds", seeds),
    Wrapped("u_nan", hides_nan),
    Wrapped("u_leaks", leaks),
    Wrapped("u_thread", in_its_thread),
    Wrapped("u_columns", cut_columns),
    LosesAtLength(),
    Mutant(name="u_positive", edges=positive),
    Wrapped("u_packed_parameter", packed_parameter),
    *UNSEEN,
    SquareEdges(),
)


def pytest_configure(config):
    for one in BACKENDS:
        register_backend(one)
