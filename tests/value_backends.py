"""A pytest plugin: backends that are wrong for some numbers, some weights, or when they are differentiated twice."""

import torch
from mutant_backends import Wrapped
from mutants import Mutant, SpoiltGradient
from relation_backends import Replace

from gnnbench.graphs import Graph
from gnnbench.reference import register_backend

#: The least normal number of float32.
TINY = torch.finfo(torch.float32).tiny


def result(change):
    """A result that is changed, with the gradients of the right one."""

    def wrap(layer, graph):
        def wrapped(x, weight, bias):
            out = layer(x, weight, bias)
            return Replace.apply(out, change(out.detach()))

        return wrapped

    return wrap


def gradient(change):
    """The gradient from above is changed."""
    return lambda layer, graph: lambda x, w, b: SpoiltGradient.apply(layer(x, w, b), change)


def flushed(tensor):
    return torch.where(tensor.abs() < TINY, 0.0, tensor)


def degrees(change):
    """The degrees that there are, changed."""
    return lambda d: torch.where(d > 0, change(d), d)


def product_of_degrees(source, target, weight, degree):
    both = degree[target] * degree[source]
    return torch.where(both > 0, weight * both.rsqrt(), 0.0)


def small_loops_replaced(source, target, weight, n):
    """Own loops whose weight is next to nothing are taken for none."""
    return source, target, torch.where((source == target) & (weight.abs() < 1e-9), 1.0, weight)


class EqualAsNone(Mutant):
    """Weights that are all the same are taken for none."""

    def propagation(self, graph, self_loops):
        weight = graph.edge_weight
        if weight is not None and len(weight) and bool((weight == weight[0]).all()):
            graph = Graph(graph.edge_index, graph.num_nodes)
        return super().propagation(graph, self_loops)


class LosesOfMany(Mutant):
    """From 50,000 weighted edges on, the last is lost, where `order(source, target)` holds."""

    def __init__(self, name, order):
        super().__init__(name=name)
        object.__setattr__(self, "order", order)

    def propagation(self, graph, self_loops):
        if graph.num_edges > 50_000 and graph.is_weighted and self.order(*graph.edge_index):
            weight = graph.edge_weight[:-1]
            graph = Graph(graph.edge_index[:, :-1], graph.num_nodes, weight)
        return super().propagation(graph, self_loops)


def in_order(node):
    return bool((node.diff() >= 0).all())


class Numpy(torch.autograd.Function):
    """X W, whose backward pass runs in NumPy: what autograd can't see is a constant."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx, gradient):
        x, weight = (one.detach().numpy() for one in ctx.saved_tensors)
        gradient = gradient.detach().numpy()
        return torch.from_numpy(gradient @ weight.T), torch.from_numpy(x.T @ gradient)


class OperandsDetached(torch.autograd.Function):
    """X W, whose operands are kept as numbers: the gradient depends on the one from above alone."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.x, ctx.weight = x.detach(), weight.detach()
        return x @ weight

    @staticmethod
    def backward(ctx, gradient):
        return gradient @ ctx.weight.T, ctx.x.T @ gradient


class Once(torch.autograd.Function):
    """X W, which says that it can't be differentiated twice."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        return gradient @ weight.T, x.T @ gradient


class WrongTwice(torch.autograd.Function):
    """The identity; the backward pass is one too, and its own backward pass is not."""

    @staticmethod
    def forward(ctx, out):
        return out.view_as(out)

    @staticmethod
    def backward(ctx, upstream):
        return SpoiltGradient.apply(upstream, lambda second: 2 * second)


def multiplied_by(function):
    """The layer on X W as `function` multiplies them."""
    return lambda layer, graph: lambda x, w, b: layer(function.apply(x, w), torch.eye(w.shape[1]), b)


BACKENDS = (
    Mutant(name="v_clean"),
    # Magnitudes.
    Wrapped("v_clamp", result(lambda out: out.clamp(-1e25, 1e25))),
    Wrapped("v_clamp_gradient", gradient(lambda g: g.clamp(-1e25, 1e25))),
    Wrapped("v_dead_zone", result(lambda out: torch.where(out.abs() < 1e-25, 0.0, out))),
    Wrapped("v_flush", result(flushed)),
    Wrapped("v_flush_x", lambda layer, graph: lambda x, w, b: layer(Replace.apply(x, flushed(x)), w, b)),
    Wrapped("v_flush_gradient", gradient(flushed)),
    Mutant(name="v_epsilon_12", degree=degrees(lambda d: d + 1e-12)),
    Mutant(name="v_epsilon_8", degree=degrees(lambda d: d + 1e-8)),
    Mutant(name="v_epsilon_6", degree=degrees(lambda d: d + 1e-6)),
    Mutant(name="v_epsilon_30", degree=degrees(lambda d: d + 1e-30)),
    Mutant(name="v_floor", degree=lambda d: torch.where(d < 1e-12, 0.0, d)),
    Mutant(name="v_ceiling", degree=degrees(lambda d: d.clamp_max(1e20))),
    Mutant(name="v_infinite", degree=degrees(lambda d: torch.where(d > 1e20, torch.inf, d))),
    Mutant(name="v_at_least_1", degree=degrees(lambda d: d.clamp_min(1.0))),
    Mutant(name="v_product", normalise=product_of_degrees),
    Mutant(name="v_small_loops", edges=small_loops_replaced),
    Mutant(name="v_small_weights", edges=lambda s, t, w, n: (s, t, torch.where(w.abs() < 1e-20, 0.0, w))),
    Mutant(name="v_large_weights", edges=lambda s, t, w, n: (s, t, w.clamp(-1e25, 1e25))),
    # Weights.
    EqualAsNone(name="v_equal"),
    LosesOfMany("v_many", lambda source, target: not in_order(source) and not in_order(target)),
    LosesOfMany("v_many_by_target", lambda source, target: in_order(target)),
    LosesOfMany("v_many_by_source", lambda source, target: in_order(source)),
    # Second derivatives.
    Wrapped("v_detached", gradient(lambda g: g.detach().clone())),
    Wrapped("v_numpy", multiplied_by(Numpy)),
    Wrapped("v_operands", multiplied_by(OperandsDetached)),
    Wrapped("v_twice_wrong", lambda layer, graph: lambda x, w, b: WrongTwice.apply(layer(x, w, b))),
    Wrapped("v_once", multiplied_by(Once)),
)


def pytest_configure(config):
    for one in BACKENDS:
        register_backend(one)
