"""A pytest plugin: backends that are wrong somewhere only, beside the clean twin. One for each way to be wrong."""

import torch
from mutant_backends import Wrapped
from mutants import Mutant

from gnnbench.reference import register_backend


class Replace(torch.autograd.Function):
    """`wrong` in place of `out`, gradients untouched."""

    @staticmethod
    def forward(ctx, out, wrong):
        return wrong.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def spoilt(out, when, spoil):
    """`spoil(copy)` applied to the forward result where `when`."""
    if not when or out.numel() == 0:
        return out
    wrong = out.detach().clone()
    spoil(wrong)
    return Replace.apply(out, wrong)


def where(condition, spoil):
    """A layer that is spoilt for the calls and graphs that `condition(graph, x, weight)` picks."""

    def wrap(layer, graph):
        return lambda x, weight, bias: spoilt(layer(x, weight, bias), condition(graph, x, weight), spoil)

    return wrap


def first(out):
    out[0] += 1


def beyond_256(out):
    out[256:] += 1


def sorted_by_target(graph, x, weight):
    return graph.num_edges > 1 and bool((graph.target.diff() >= 0).all())


def connected(graph, x, weight):
    """One component, found by spreading the least number."""
    label = torch.arange(graph.num_nodes)
    for _ in range(graph.num_nodes):
        least = label.scatter_reduce(0, graph.target, label[graph.source], "amin")
        least = least.scatter_reduce(0, graph.source, least[graph.target], "amin")
        if torch.equal(least, label):
            break
        label = least
    return graph.num_nodes > 1 and bool((label == label[0]).all())


def loses_edges_into_last(source, target, weight, n):
    keep = (target != n - 1) | (source == n - 1)
    return source[keep], target[keep], weight[keep]


def assumes_sorted(source, target, weight, n):
    """As a segment sum does that reads where each row begins and never sorts."""
    counts = torch.bincount(target, minlength=n)
    return source, torch.repeat_interleave(torch.arange(n), counts), weight


def along_the_edges(edges):
    source, target, value = edges
    return target, source, value


def half(tensor):
    return tensor.detach().half().float()


def reads_flat(layer, graph):
    """Takes the edges by address: what lies in memory, and not what the strides say."""
    index = graph.edge_index
    flat = index.as_strided(index.shape, (index.shape[1], 1), index.storage_offset())
    flat = flat.clamp(0, graph.num_nodes - 1)
    if torch.equal(flat, index):
        return layer
    from gnnbench.graphs import Graph

    return Mutant().bind(Graph(flat, graph.num_nodes, graph.edge_weight))


def no_empty(layer, graph):
    def wrapped(x, weight, bias):
        if 0 in x.shape or 0 in weight.shape:
            raise RuntimeError("CUDA error: invalid configuration argument")
        return layer(x, weight, bias)

    return wrapped


def forgets_bias(layer, graph):
    def wrapped(x, weight, bias):
        out = layer(x, weight, bias)
        return spoilt(out, not bool(x.detach().any()), lambda wrong: wrong.zero_())

    return wrapped


class Scattered(torch.autograd.Function):
    """The identity, whose gradient comes back laid out as if x had been contiguous."""

    @staticmethod
    def forward(ctx, x):
        ctx.contiguous = x.is_contiguous()
        return x.contiguous()

    @staticmethod
    def backward(ctx, gradient):
        return gradient if ctx.contiguous else gradient.flip(0)


BACKENDS = (
    Mutant(name="r_clean"),
    Mutant(name="r_last_row", edges=loses_edges_into_last),
    Wrapped("r_beyond_256", where(lambda g, x, w: g.num_nodes > 256, beyond_256)),
    Wrapped("r_odd_width", where(lambda g, x, w: w.shape[1] % 2 == 1 and w.shape[1] > 4, first)),
    Mutant(name="r_assumes_sorted", edges=assumes_sorted),
    Wrapped("r_sorted_wrong", where(sorted_by_target, first)),
    Wrapped("r_connected", where(connected, first)),
    Wrapped("r_stride_0", where(lambda g, x, w: x.shape[0] > 1 and x.stride(0) == 0, first)),
    Wrapped("r_two_strides", where(lambda g, x, w: min(x.stride()) > 1 and x.shape[1] > 1, first)),
    Mutant(name="r_transposed_backward", backward=along_the_edges),
    Mutant(name="r_half", operands=half),
    Mutant(name="r_epsilon", degree=lambda degree: degree + 1e-8),
    Wrapped("r_edge_storage", reads_flat),
    Wrapped("r_no_empty", no_empty),
    Wrapped("r_forgets_bias", forgets_bias),
    Wrapped("r_last_hub", where(
        lambda g, x, w: g.num_edges > 64 and int(torch.bincount(g.target, minlength=g.num_nodes)[-1]) >= 63, first)),
    Wrapped("r_leaf", lambda layer, graph: lambda x, weight, bias: layer(Scattered.apply(x), weight, bias)),
)  # fmt: skip


def pytest_configure(config):
    for backend in BACKENDS:
        register_backend(backend)
