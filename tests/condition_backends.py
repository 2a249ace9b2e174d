"""A pytest plugin: backends that are wrong where conditions meet, at sizes, or after something happened only."""

import torch
from mutant_backends import Wrapped
from mutants import Mutant, SpoiltGradient
from relation_backends import where

from gnnbench.graphs import Graph
from gnnbench.reference import register_backend


def doubled(out):
    out.mul_(2)


def called(condition, spoil=doubled):
    """The forward result is spoilt where `condition(x, weight, bias)`."""

    def wrap(layer, graph):
        def wrapped(x, weight, bias):
            spoilt = where(lambda *_: condition(x, weight, bias), spoil)
            return spoilt(layer, graph)(x, weight, bias)

        return wrapped

    return wrap


def gradients(condition):
    """dX and dW are doubled where `condition(x, weight, bias)`."""

    def wrap(layer, graph):
        def wrapped(x, weight, bias):
            if not condition(x, weight, bias):
                return layer(x, weight, bias)
            twice = (SpoiltGradient.apply(one, lambda gradient: 2 * gradient) for one in (x, weight))
            return layer(*twice, bias)

        return wrapped

    return wrap


def upstream(condition):
    """The gradient from above is doubled where `condition(gradient, x, weight, bias)`."""

    def wrap(layer, graph):
        def wrapped(x, weight, bias):
            def spoil(gradient):
                return 2 * gradient if condition(gradient, x, weight, bias) else gradient

            return SpoiltGradient.apply(layer(x, weight, bias), spoil)

        return wrapped

    return wrap


def widening(x, weight):
    return x.shape[1] < weight.shape[1]


def frozen(x, weight, bias):
    """Which operands ask for a gradient, as a string of letters."""
    asked = {"x": x, "w": weight, "b": bias}
    return "".join(name for name, one in asked.items() if one is not None and one.requires_grad)


class Graphs:
    """The clean layer on another graph than it was given, where `change(graph, self_loops)` says so."""

    def __init__(self, name, change):
        self.name, self.change = name, change

    def bind(self, graph, *, device, dtype, self_loops="add"):
        return Mutant().bind(
            self.change(graph, self_loops), device=device, dtype=dtype, self_loops=self_loops
        )


def own(graph):
    return graph.source == graph.target


def kept(graph, keep):
    weight = None if graph.edge_weight is None else graph.edge_weight[keep]
    return Graph(graph.edge_index[:, keep], graph.num_nodes, weight)


def one_of_two_loops(mode):
    """Of several loops of a node the first alone is read, under one convention."""

    def change(graph, self_loops):
        if self_loops != mode:
            return graph
        keep, seen = torch.ones(graph.num_edges, dtype=torch.bool), set()
        for edge in own(graph).nonzero()[:, 0].tolist():
            node = int(graph.source[edge])
            keep[edge] = node not in seen
            seen.add(node)
        return kept(graph, keep)

    return change


def merges_loops_and_duplicates(graph, self_loops):
    if self_loops != "add_remaining" or graph.is_weighted or not graph.has_self_loops:
        return graph
    return Graph(torch.unique(graph.edge_index, dim=1), graph.num_nodes)


def drops_zero_loops(graph, self_loops):
    if self_loops != "add_remaining" or not graph.is_weighted:
        return graph
    return kept(graph, ~(own(graph) & (graph.edge_weight == 0)))


def truncates_long_rows(graph, self_loops):
    """No more than 200 messages of a row, where no loops are added."""
    if self_loops != "none":
        return graph
    order = graph.target.argsort(stable=True)
    first = torch.searchsorted(graph.target[order], graph.target[order])
    slot = torch.empty_like(order)
    slot[order] = torch.arange(len(order)) - first
    return kept(graph, slot < 200)


def by_convention(layer_of, self_loops):
    """A strided x is read as if it were contiguous, on weighted graphs under one convention."""

    class Backend:
        name = layer_of

        def bind(self, graph, *, device, dtype, self_loops="add", _mode=self_loops):
            layer = Mutant().bind(graph, device=device, dtype=dtype, self_loops=self_loops)
            if self_loops != _mode or not graph.is_weighted:
                return layer
            return called(lambda x, weight, bias: not x.is_contiguous())(layer, graph)

    return Backend()


CONDITIONS = (
    Mutant(name="k_clean"),
    Wrapped("k_strided_widening", called(lambda x, w, b: not x.is_contiguous() and widening(x, w))),
    Wrapped("k_strided_no_bias", called(lambda x, w, b: not x.is_contiguous() and b is None)),
    Wrapped(
        "k_infer_no_bias_widening",
        called(lambda x, w, b: not torch.is_grad_enabled() and b is None and widening(x, w)),
    ),
    Wrapped(
        "k_infer_strided_weight", called(lambda x, w, b: torch.is_inference_mode_enabled() and not w.is_contiguous())
    ),
    Wrapped("k_unasked", called(lambda x, w, b: torch.is_grad_enabled() and not frozen(x, w, b))),
    Wrapped("k_dw_widening", gradients(lambda x, w, b: frozen(x, w, b) == "wb" and widening(x, w))),
    Wrapped("k_dx_square", gradients(lambda x, w, b: frozen(x, w, b) == "xb" and x.shape[1] == w.shape[1])),
    Wrapped("k_frozen_bias", gradients(lambda x, w, b: b is not None and frozen(x, w, b) == "xw" and widening(x, w))),
    Wrapped("k_strided_g_no_bias", upstream(lambda g, x, w, b: not g.is_contiguous() and b is None)),
    Wrapped("k_strided_g_frozen", upstream(lambda g, x, w, b: 0 in g.stride() and frozen(x, w, b) == "w")),
    by_convention("k_strided_remaining", "add_remaining"),
    by_convention("k_strided_none", "none"),
    *(Graphs(f"k_one_loop_{mode}", one_of_two_loops(mode)) for mode in ("add", "add_remaining", "none")),
    Graphs("k_unique", merges_loops_and_duplicates),
    Graphs("k_zero_loops", drops_zero_loops),
    Graphs("k_long_none", truncates_long_rows),
)  # fmt: skip


def pytest_configure(config):
    for one in CONDITIONS:
        register_backend(one)
