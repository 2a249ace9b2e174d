"""Backends that are wrong where a training that goes well does not look: NaN, many layers at once, odd addresses.

`use_backends` registers them.
"""

import torch
from mutant_backends import Wrapped
from mutants import Mutant, SpoiltGradient


def without_nan(tensor):
    return torch.nan_to_num(tensor)


def hides_nan_in(of):
    """`of` spoils the operands of the layer, or its result, on the way there or back."""
    return lambda layer, graph: lambda x, weight, bias: of(layer, x, weight, bias)


def spreads_nan(layer, graph):
    """A gradient that is not finite anywhere reaches the last node too."""

    def spoil(gradient):
        last = torch.zeros(len(gradient), 1)
        last[-1] = 0 if bool(torch.isfinite(gradient).all()) else torch.nan
        return gradient + last

    return lambda x, weight, bias: layer(SpoiltGradient.apply(x, spoil), weight, bias)


class Table:
    """Keeps what it bound in a table of 16, and the seventeenth takes the place of the first."""

    name = "u_table"

    def __init__(self):
        self.layers, self.bound = {}, 0

    def bind(self, graph, *, device, dtype, self_loops="add"):
        place = self.bound % 16
        self.bound += 1
        self.layers[place] = graph.num_nodes, Mutant().bind(graph, self_loops=self_loops)
        own = self.layers[place][1]

        def layer(x, weight, bias):
            nodes, there = self.layers[place]
            return (there if nodes == len(x) else own)(x, weight, bias)

        return layer


class KeptInARing(torch.autograd.Function):
    """`x @ weight`, with room for the operands of 16 calls."""

    @staticmethod
    def forward(ctx, x, weight, ring):
        ctx.ring, ctx.place = ring, len(ring["calls"]) % 16
        ring["calls"].append(None)
        ring[ctx.place] = x, weight
        return x @ weight

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.ring[ctx.place]
        return gradient @ weight.T, x.T @ gradient, None


def ring(layer, graph):
    kept = {"calls": []}
    return lambda x, w, b: layer(KeptInARing.apply(x, w, kept), torch.eye(w.shape[1]), b)


def derived(layer, graph):
    """Twice the gradient of a weight that is the result of something."""
    return lambda x, w, b: layer(x, w if w.grad_fn is None else SpoiltGradient.apply(w, lambda g: 2 * g), b)


class BiasInBlocks(torch.autograd.Function):
    """Adds a bias, whose gradient is summed over blocks of 256 rows from 1,024 rows on, each kept in bfloat16."""

    @staticmethod
    def forward(ctx, out, bias):
        return out + bias

    @staticmethod
    def backward(ctx, gradient):
        if len(gradient) < 1024:
            return gradient, gradient.sum(0)
        blocks = torch.stack([block.sum(0) for block in gradient.split(256)])
        return gradient, blocks.bfloat16().float().sum(0)


def blocks(layer, graph):
    return lambda x, w, b: layer(x, w, None) if b is None else BiasInBlocks.apply(layer(x, w, None), b)


def in_fours(layer, graph):
    """Reads x by fours where it is aligned to 8 bytes."""
    return lambda x, w, b: layer(x, w, b) * (2 if x.data_ptr() % 16 == 8 else 1)


class AlignedEdges:
    """Takes edges and weights that are contiguous to begin where memory does."""

    name = "u_aligned_edges"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        edges, weight = graph.edge_index, graph.edge_weight
        if edges.is_contiguous() and edges.storage_offset():
            graph = type(graph)(edges.roll(1, dims=1), graph.num_nodes, weight)
        return Mutant().bind(graph, self_loops=self_loops)


class AlignedWeights:
    """As `AlignedEdges`, with the weights."""

    name = "u_aligned_weights"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        weight = graph.edge_weight
        if weight is not None and weight.is_contiguous() and weight.storage_offset():
            graph = type(graph)(graph.edge_index, graph.num_nodes, weight.roll(1))
        return Mutant().bind(graph, self_loops=self_loops)


def remainder(layer, graph):
    """Unrolled to 64, with a remainder that is taken by twos."""

    def wrapped(x, weight, bias):
        if x.shape[1] > 65 and x.shape[1] % 4 == 3:
            x, weight = x[:, :-1], weight[:-1]
        return layer(x, weight, bias)

    return wrapped


UNSEEN = (
    Wrapped("u_nan_in_weight", hides_nan_in(lambda layer, x, w, b: layer(x, without_nan(w), b))),
    Wrapped(
        "u_nan_in_bias",
        hides_nan_in(lambda layer, x, w, b: layer(x, w, without_nan(b)) if b is not None else layer(x, w, b)),
    ),
    Wrapped(
        "u_nan_in_gradient",
        hides_nan_in(lambda layer, x, w, b: SpoiltGradient.apply(layer(x, w, b), without_nan)),
    ),
    Wrapped(
        "u_nan_in_dx", hides_nan_in(lambda layer, x, w, b: layer(SpoiltGradient.apply(x, without_nan), w, b))
    ),
    Wrapped(
        "u_nan_in_dw", hides_nan_in(lambda layer, x, w, b: layer(x, SpoiltGradient.apply(w, without_nan), b))
    ),
    Wrapped("u_saturates", hides_nan_in(lambda layer, x, w, b: layer(x, w, b).clamp(-3.4e38, 3.4e38))),
    Wrapped("u_spreads_nan", spreads_nan),
    Table(),
    Wrapped("u_ring", ring),
    Wrapped("u_derived", derived),
    Wrapped("u_blocks", blocks),
    Wrapped("u_in_fours", in_fours),
    AlignedEdges(),
    AlignedWeights(),
    Wrapped("u_remainder", remainder),
)
