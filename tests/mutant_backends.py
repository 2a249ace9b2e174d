"""A pytest plugin that registers broken backends, and a clean one, beside the real ones."""

from dataclasses import dataclass

import torch
from mutants import Mutant, SpoiltGradient, next_float, one_entry, rounded

from gnnbench.reference import UnsupportedByBackend, register_backend, unregister_backend


@dataclass(frozen=True)
class Wrapped:
    """The clean layer behind `wrap(layer, graph)`."""

    name: str
    wrap: object

    def bind(self, graph, *, device, dtype, self_loops="add"):
        return self.wrap(Mutant().bind(graph, device=device, dtype=dtype, self_loops=self_loops), graph)


class CachedByShape:
    """The first graph of each size answers for all of that size."""

    name = "m_cached_size"

    def __init__(self):
        self.layers = {}

    def bind(self, graph, *, device, dtype, self_loops="add"):
        key = (graph.num_nodes, graph.num_edges, graph.is_weighted, self_loops)
        return self.layers.setdefault(key, Mutant().bind(graph, self_loops=self_loops))


class Buffered(torch.autograd.Function):
    """The result stands in a buffer that is used again for every result of its shape."""

    buffers: dict = {}  # noqa: RUF012 - shared on purpose: that is the fault

    @staticmethod
    def forward(ctx, out):
        buffer = Buffered.buffers.setdefault(out.shape, torch.empty_like(out))
        return buffer.copy_(out).view_as(buffer)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Remembered(torch.autograd.Function):
    """X W, whose backward pass takes the X it saw last."""

    last = None

    @staticmethod
    def forward(ctx, x, weight):
        Remembered.last = x
        ctx.save_for_backward(weight)
        return x @ weight

    @staticmethod
    def backward(ctx, gradient):
        (weight,) = ctx.saved_tensors
        return gradient @ weight.T, Remembered.last.T @ gradient


def spoils_db(layer, graph):
    return lambda x, weight, bias: layer(
        x, weight, None if bias is None else SpoiltGradient.apply(bias, lambda gradient: gradient + 1)
    )


def spoils_x(layer, graph):
    def wrapped(x, weight, bias):
        out = layer(x.clone(), weight, bias)
        x.data.mul_(2)
        return out

    return wrapped


def spoils_graph(layer, graph):
    def wrapped(x, weight, bias):
        out = layer(x, weight, bias)
        if graph.edge_weight is not None:
            graph.edge_weight.mul_(1.5)
        return out

    return wrapped


def ignores_strides(layer, graph):
    def wrapped(x, weight, bias):
        flat = x.as_strided(x.shape, (x.shape[1], 1), x.storage_offset())
        return layer(flat, weight, bias)

    return wrapped


def remembers(layer, graph):
    return lambda x, weight, bias: layer(Remembered.apply(x, weight), torch.eye(weight.shape[1]), bias)


def unsupported(layer, graph):
    raise UnsupportedByBackend("no kernel for Tuesdays")


def crashes(layer, graph):
    def wrapped(x, weight, bias):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    return wrapped


def needs_bias(layer, graph):
    return lambda x, weight, bias: layer(x, weight, bias + 0)


def needs_gradient_of_x(layer, graph):
    def wrapped(x, weight, bias):
        # Without a gradient by x the backward pass is cut.
        out = layer(x, weight, bias)
        return out if x.requires_grad or not torch.is_grad_enabled() else out.detach()

    return wrapped


def needs_gradient_of_weight(layer, graph):
    def wrapped(x, weight, bias):
        # Where the weight is frozen, x gets no gradient either.
        return layer(x if weight.requires_grad else x.detach(), weight, bias)

    return wrapped


BACKENDS = (
    Mutant(name="m_clean"),
    Mutant(name="m_entry", finish=one_entry(lambda v: v + 0.25, (0, 0))),
    Mutant(name="m_ulp", finish=one_entry(next_float, (0, 0))),
    Mutant(name="m_nan", finish=one_entry(lambda v: v * torch.nan, (0, 0))),
    Mutant(name="m_no_loops", loops="none"),
    Mutant(name="m_cached", first=[]),
    CachedByShape(),
    Mutant(name="m_tf32", operands=rounded(11)),
    Mutant(name="m_float64", finish=lambda out: out.double()),
    Mutant(name="m_detached", finish=lambda out: out.detach()),
    Wrapped("m_db", spoils_db),
    Wrapped("m_spoils_x", spoils_x),
    Wrapped("m_spoils_graph", spoils_graph),
    Wrapped("m_buffer", lambda layer, graph: lambda x, w, b: Buffered.apply(layer(x, w, b))),
    Wrapped("m_remembers", remembers),
    Wrapped("m_strides", ignores_strides),
    Wrapped("m_bias", needs_bias),
    Wrapped("m_data_x", needs_gradient_of_x),
    Wrapped("m_frozen", needs_gradient_of_weight),
    Wrapped("m_unsupported", unsupported),
    Wrapped("m_crash", crashes),
)


def pytest_configure(config):
    for backend in BACKENDS:
        register_backend(backend)


def pytest_unconfigure(config):
    for backend in BACKENDS:
        unregister_backend(backend.name)
