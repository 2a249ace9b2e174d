"""A pytest plugin that registers backends whose gradient by edge weights is wrong, and a clean one."""

from dataclasses import dataclass

import torch
from mutants import Mutant

from gnnbench.reference import backend, register_backend, unregister_backend


class Spoilt(torch.autograd.Function):
    """The identity on edge weights; `spoil(gradient, graph)` on the way back."""

    @staticmethod
    def forward(ctx, edge_weight, graph, spoil):
        ctx.graph, ctx.spoil = graph, spoil
        return edge_weight.view_as(edge_weight)

    @staticmethod
    def backward(ctx, gradient):
        return ctx.spoil(gradient, ctx.graph), None, None


@dataclass(frozen=True)
class WeightedMutant:
    """The clean layer, with `spoil` in the gradient by edge weights."""

    name: str
    spoil: object = None

    def bind(self, graph, *, device, dtype, self_loops="add"):
        return Mutant().bind(graph, device=device, dtype=dtype, self_loops=self_loops)

    def bind_weighted(self, graph, *, device, dtype, self_loops="add"):
        layer = backend("index_add").bind_weighted(graph, device=device, dtype=dtype, self_loops=self_loops)
        spoil = self.spoil or (lambda gradient, graph: gradient)
        return lambda x, weight, bias, edge_weight: layer(
            x, weight, bias, Spoilt.apply(edge_weight, graph, spoil)
        )


@dataclass(frozen=True)
class ConstantNormalisation:
    """Degrees are taken under no_grad, as a cached norm is."""

    name: str = "wm_constant"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        return Mutant().bind(graph, device=device, dtype=dtype, self_loops=self_loops)

    def bind_weighted(self, graph, *, device, dtype, self_loops="add"):
        looped = type(graph)(graph.edge_index, graph.num_nodes).with_self_loops(self_loops)

        def layer(x, weight, bias, edge_weight):
            loops = edge_weight.new_ones(looped.num_edges - graph.num_edges)
            every = torch.cat([edge_weight, loops])
            with torch.no_grad():
                degree = torch.zeros(graph.num_nodes).index_add(0, looped.target, every)
                scale = torch.where(degree > 0, degree.rsqrt(), 0.0)
            h = (x @ weight)[looped.source] * (scale[looped.target] * every * scale[looped.source])[:, None]
            out = torch.zeros(graph.num_nodes, weight.shape[1]).index_add(0, looped.target, h)
            return out if bias is None else out + bias

        return layer


class Kept:
    """The weights of the first call answer for every later one; the gradient is that of the new ones."""

    name = "wm_kept"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        return Mutant().bind(graph, device=device, dtype=dtype, self_loops=self_loops)

    def bind_weighted(self, graph, *, device, dtype, self_loops="add"):
        layer = backend("index_add").bind_weighted(graph, device=device, dtype=dtype, self_loops=self_loops)
        first = []

        def kept(x, weight, bias, edge_weight):
            first.append(edge_weight.detach())
            return layer(x, weight, bias, edge_weight + (first[0] - edge_weight).detach())

        return kept


def _keys(graph):
    return graph.target * graph.num_nodes + graph.source


def _multiplicity(graph):
    _, place, counts = torch.unique(_keys(graph), return_inverse=True, return_counts=True)
    return counts[place]


def first_of_duplicates(gradient, graph):
    """What merging duplicates leaves: one of each carries the sum, the others nothing."""
    _, place = torch.unique(_keys(graph), return_inverse=True)
    seen, result = set(), torch.zeros_like(gradient)
    for edge, where in enumerate(place.tolist()):
        if where not in seen:
            result[edge] = gradient[place == where].sum()
            seen.add(where)
    return result


def first_only(gradient, graph):
    return torch.where(torch.arange(len(gradient)) == 0, gradient, 0.0)


MUTANTS = (
    WeightedMutant("wm_clean"),
    ConstantNormalisation(),
    WeightedMutant("wm_merged", first_of_duplicates),
    WeightedMutant("wm_averaged", lambda gradient, graph: gradient / _multiplicity(graph)),
    WeightedMutant("wm_sorted", lambda gradient, graph: gradient[_keys(graph).argsort(stable=True)]),
    WeightedMutant("wm_first_only", first_only),
    WeightedMutant("wm_one_zero", lambda g, graph: torch.where(torch.arange(len(g)) == len(g) - 1, 0.0, g)),
    WeightedMutant("wm_loops", lambda g, graph: torch.where(graph.source == graph.target, 0.0, g)),
    WeightedMutant("wm_double", lambda gradient, graph: 2 * gradient),
    WeightedMutant("wm_ulp", lambda gradient, graph: torch.nextafter(gradient, torch.tensor(torch.inf))),
    WeightedMutant("wm_nan", lambda gradient, graph: torch.full_like(gradient, torch.nan)),
    Kept(),
    # Without the capability: no check of this file may be made for it.
    Mutant(name="wm_without"),
)


def pytest_configure(config):
    for mutant in MUTANTS:
        register_backend(mutant)


def pytest_unconfigure(config):
    for mutant in MUTANTS:
        unregister_backend(mutant.name)
