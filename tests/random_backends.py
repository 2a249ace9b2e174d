"""A pytest plugin of backends for random graphs: a clean one, and one for each way to be wrong or to refuse."""

import os
from itertools import count

import torch
from mutants import Mutant

from gnnbench.reference import UnsupportedByBackend, register_backend


def once(source, target, weight, n):
    """Of duplicate edges, self-loops apart, keep the first."""
    seen, keep = set(), []
    for k, pair in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        if pair[0] == pair[1] or pair not in seen:
            keep.append(k)
        seen.add(pair)
    keep = torch.tensor(keep, dtype=torch.int64)
    return source[keep], target[keep], weight[keep]


class Refusing:
    """Serves none of the graphs."""

    name = "r_refuses"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        raise UnsupportedByBackend("no kernel for Tuesdays")


class Picky:
    """Right where it serves: graphs with weights only."""

    name = "r_picky"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        if not graph.is_weighted:
            raise UnsupportedByBackend("no kernel without weights")
        return Mutant().bind(graph, self_loops=self_loops)


class Crashing:
    """Has no answer for nodes without edges behind the last edge."""

    name = "r_crashes"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        if graph.num_edges and int(graph.edge_index.max()) + 1 < graph.num_nodes:
            raise IndexError("index out of range in self")
        return Mutant().bind(graph, self_loops=self_loops)


class Wavering:
    """Wrong in every fifth call."""

    name = "r_wavers"
    calls = count(1)

    def bind(self, graph, *, device, dtype, self_loops="add"):
        loops = "none" if next(self.calls) % 5 == 0 else "add"
        return Mutant(loops=loops).bind(graph, self_loops=self_loops)


BACKENDS = (
    Mutant(name="r_clean"),
    # Mended from outside, as a new release of a library would mend it.
    Mutant(name="r_once") if os.environ.get("MENDED") else Mutant(name="r_once", edges=once),
    Mutant(name="r_turned", edges=lambda s, t, w, n: (t, s, w)),
    Refusing(),
    Picky(),
    Crashing(),
    Wavering(),
)


def pytest_configure(config):
    # Not when it is imported: a test that borrows a fault from here must not register all of them.
    for backend in BACKENDS:
        register_backend(backend)
