"""Every planted fault is caught by the tier that should catch it; its clean twin passes every tier."""

from dataclasses import dataclass
from functools import cache

import pytest
import torch
from mutants import Mutant, SpoiltGradient, merged, next_float, one_entry, rounded, twice, without

from gnnbench.graphs import Graph, probe_graphs
from gnnbench.numerics import (
    QUANTITIES,
    compare,
    compare_exact,
    compare_precision,
    evaluate,
    exact_inputs,
    gcn_bounds,
    gcn_oracle,
    real_inputs,
    require_exact,
)

#: Which quantities fail in which tier; what is not named must pass.
ALL, PROPAGATED = {"forward", "dX", "dW", "db"}, {"forward", "dX", "dW"}


def exact_graph() -> Graph:
    """Directed, unsorted, with a duplicate edge, own loops, isolated nodes and a hub.

    All in-degrees, one loop added, are powers of 4: 1, 4, 16 and 1024.
    """
    generator = torch.Generator().manual_seed(11)
    n = 1100

    def into(node, count, first=0):
        return torch.stack(
            [torch.randint(first, n, (count,), generator=generator), torch.full((count,), node)]
        )

    edges = torch.cat(
        [
            into(7, 1023, first=40),
            *(into(node, 3) for node in range(20, 40)),
            *(into(node, 15) for node in range(10, 14)),
            # Node 15: its own loop and a doubled edge. Node 16 hears the hub twice.
            torch.tensor([[15, 30, 30, 7, 7, 3], [15, 15, 15, 16, 16, 16]]),
        ],
        dim=1,
    )
    return Graph(edges[:, torch.randperm(edges.shape[1], generator=generator)], n)


def real_graph() -> Graph:
    """60 nodes, 300 weighted edges with loops and duplicates."""
    generator = torch.Generator().manual_seed(2)
    edges = torch.randint(59, (2, 300), generator=generator)
    edges[:, 1::29] = edges[:, :-1:29]
    edges[1, 5::31] = edges[0, 5::31]
    return Graph(edges, 60, 0.25 + 2 * torch.rand(300, generator=generator))


@dataclass(frozen=True)
class Case:
    graph: Graph
    inputs: object
    oracle: object
    bounds: object


@cache
def exact_case() -> Case:
    graph = exact_graph()
    inputs = exact_inputs(graph.num_nodes)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    require_exact(oracle)
    return Case(graph, inputs, oracle, None)


@cache
def real_case() -> Case:
    graph = real_graph()
    inputs = real_inputs(graph.num_nodes)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    return Case(graph, inputs, oracle, gcn_bounds(oracle))


def failures(mutant, case):
    """The failed comparisons of Tier 0 or Tier 1, by quantity."""
    found = evaluate(mutant.bind(case.graph), case.inputs)
    comparisons = {
        q: compare_exact(q, getattr(found, q), case.oracle)
        if case.bounds is None
        else compare(q, getattr(found, q), case.oracle, case.bounds[q])
        for q in QUANTITIES
    }
    return {q: c for q, c in comparisons.items() if not c.passed}


@dataclass(frozen=True)
class Spoilt:
    """The clean layer with one gradient spoilt."""

    quantity: str
    spoil: object

    def bind(self, graph):
        layer = Mutant().bind(graph)

        def wrong(x, weight, bias):
            operands = {"dX": x, "dW": weight, "db": bias}
            operands[self.quantity] = SpoiltGradient.apply(operands[self.quantity], self.spoil)
            return layer(*operands.values())

        return wrong


def in_bf16(degree):
    """What a bfloat16 counter, one by one, makes of a whole number."""
    return degree.clamp_max(256)


def mask_but_first(gradient):
    kept = torch.zeros_like(gradient)
    kept[0, 0] = gradient[0, 0]
    return kept


CLEAN = Mutant()

#: mutant, what Tier 0 must find, what Tier 1 must find.
MUTANTS = {
    "one entry, one ulp": (Mutant(finish=one_entry(next_float, (33, 5))), {"forward"}, set()),
    "one entry, by the promised size": (
        Mutant(finish=one_entry(lambda v: v + 1e-3, (33, 5))),
        {"forward"},
        {"forward"},
    ),
    "dropped message": (Mutant(normalised=without(17)), PROPAGATED, PROPAGATED),
    "doubled message": (Mutant(normalised=twice(17)), PROPAGATED, PROPAGATED),
    "dropped edge": (Mutant(edges=lambda s, t, w, n: without(17)((s, t, w))), PROPAGATED, PROPAGATED),
    "doubled edge": (Mutant(edges=lambda s, t, w, n: twice(17)((s, t, w))), PROPAGATED, PROPAGATED),
    "last edge dropped": (Mutant(edges=lambda s, t, w, n: (s[:-1], t[:-1], w[:-1])), PROPAGATED, PROPAGATED),
    "transposed (F19)": (Mutant(edges=lambda s, t, w, n: (t, s, w)), PROPAGATED, PROPAGATED),
    "no self-loops (F17)": (Mutant(loops="none"), PROPAGATED, PROPAGATED),
    "loops in the degree only": (
        Mutant(normalised=lambda e: tuple(p[:-1] for p in e)),
        PROPAGATED,
        PROPAGATED,
    ),
    "row-normalised (F20)": (
        Mutant(normalise=lambda s, t, w, d: w / d[t]),
        PROPAGATED,
        PROPAGATED,
    ),
    "column-normalised (F20)": (
        Mutant(normalise=lambda s, t, w, d: w / d[s]),
        PROPAGATED,
        PROPAGATED,
    ),
    "degree without the loop (F20)": (Mutant(degree=lambda d: d - 1), PROPAGATED, PROPAGATED),
    "duplicates lost (F22)": (Mutant(edges=merged), PROPAGATED, PROPAGATED),
    "degree in bfloat16 (F14)": (Mutant(degree=in_bf16), PROPAGATED, set()),
    "TF32 operands (F46)": (Mutant(operands=rounded(11)), set(), PROPAGATED),
    "bfloat16 operands": (Mutant(operands=rounded(8)), set(), PROPAGATED),
    "A for its transpose in the backward pass (F08)": (
        Mutant(backward=lambda e: (e[1], e[0], e[2])),
        {"dX", "dW"},
        {"dX", "dW"},
    ),
    "backward loses a message": (Mutant(backward=without(17)), {"dX", "dW"}, {"dX", "dW"}),
    "dX masked but (0, 0) (F08)": (Spoilt("dX", mask_but_first), {"dX"}, {"dX"}),
    "dW from masked features": (
        Mutant(weight_input=lambda x: torch.cat([x[:3], torch.zeros_like(x[3:4]), x[4:]])),
        {"dW"},
        {"dW"},
    ),
    "dW transposed in place": (Spoilt("dW", lambda g: g.flip(1)), {"dW"}, {"dW"}),
    "db misses a row": (Spoilt("db", lambda g: g - 1), {"db"}, {"db"}),
    "db is a mean": (Spoilt("db", lambda g: g / 7), {"db"}, {"db"}),
    "NaN": (Mutant(finish=one_entry(lambda v: v * torch.nan, (33, 5))), {"forward"}, {"forward"}),
    "infinity": (Mutant(finish=one_entry(lambda v: v + torch.inf, (33, 5))), {"forward"}, {"forward"}),
    "bias not added": (Mutant(bias=lambda b: 0 * b), {"forward", "db"}, {"forward", "db"}),
    "beta dropped (F01)": (Mutant(bias=lambda b: 0.5 * b), {"forward", "db"}, {"forward", "db"}),
    "bit flip (F41)": (
        Mutant(finish=one_entry(lambda v: (v.view(torch.int32) ^ (1 << 19)).view(torch.float32), (33, 5))),
        {"forward"},
        {"forward"},
    ),
    "rows swapped": (
        Mutant(finish=lambda o: o[torch.arange(len(o)).index_fill(0, torch.tensor([3]), 4)]),
        PROPAGATED,
        PROPAGATED,
    ),
    "last row not written": (Mutant(finish=lambda o: torch.cat([o[:-1], 0 * o[-1:]])), ALL, ALL),
    "int16 offsets wrap (F04)": (
        # Scaled down: entries past 2^9 of the flat result land at its start.
        Mutant(finish=lambda o: torch.cat([o[:-4], o[:4]])),
        PROPAGATED,
        PROPAGATED,
    ),
}


def test_the_clean_twin_passes_every_tier():
    """The layer the mutants are made of is right: exact, bounded, and float32."""
    assert not failures(CLEAN, exact_case())
    assert not failures(CLEAN, real_case())


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant(name):
    """Tier 0 and Tier 1 each find the quantities that the fault spoils, and no others."""
    mutant, exact, bounded = MUTANTS[name]

    assert set(failures(mutant, exact_case())) == exact
    assert set(failures(mutant, real_case())) == bounded


@pytest.mark.parametrize("index", [(0, 0), (33, 5), (59, 7)])
@pytest.mark.parametrize("side", [-1, 1])
def test_tier_1_sees_what_its_bound_promises(index, side):
    """An entry moved by little less than its bound passes; by little more it fails, and is named."""
    case = real_case()
    bound = float(case.bounds["forward"][index])
    right = case.oracle.forward.float()

    def moved(share):
        got = right.clone()
        got[index] = case.oracle.forward[index] + side * share * bound
        return compare("forward", got, case.oracle, case.bounds["forward"])

    # float32's own spacing stands between 0.9 and 1.1 of so small a bound.
    assert moved(0.9).passed
    assert not moved(1.1).passed
    assert moved(1.1).index == index
    assert moved(1.1).beyond == 1


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_tier_0_sees_one_ulp_anywhere(quantity):
    """One entry of any quantity, one ulp off, up or down."""
    case = exact_case()
    right = case.oracle.of(quantity).float()
    flat = right.flatten()
    for entry in (0, flat.numel() // 2, flat.numel() - 1):
        for towards in (torch.inf, -torch.inf):
            got = flat.clone()
            got[entry] = torch.nextafter(got[entry], torch.tensor(towards))
            comparison = compare_exact(quantity, got.reshape(right.shape), case.oracle)

            assert not comparison.passed
            assert comparison.beyond == 1
            assert comparison.error > 0
    assert compare_exact(quantity, right, case.oracle).passed


@pytest.mark.parametrize("case", [exact_case, real_case])
def test_a_cached_graph_is_caught(case):
    """F21: the first graph's Â answers for the second, of the same size."""
    graph = case().graph
    other = Graph((graph.edge_index + 1) % graph.num_nodes, graph.num_nodes, graph.edge_weight)
    caching = Mutant(first=[])
    caching.bind(other)

    assert set(failures(caching, case())) == PROPAGATED
    assert not failures(Mutant(), case())


@pytest.mark.parametrize(
    ("probe", "largest", "red"),
    # In a row that sums 2,049 messages rounding may hide a degree that is off by 2 in 2,050; in the rows of those
    # who sent one, backward, it can't.
    [("hub", 256, PROPAGATED), ("hub_2049", 2048, {"dX"})],
)
def test_16_bit_counters_are_caught_at_their_hubs(probe, largest, red):
    """F14: bfloat16 stops counting at 256, float16 at 2048; the probe hubs hear one more."""
    graph = next(one.graph for one in probe_graphs() if one.name == probe)
    inputs = real_inputs(graph.num_nodes, 16, 8)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    case = Case(graph, inputs, oracle, gcn_bounds(oracle))

    assert set(failures(Mutant(degree=lambda d: d.clamp_max(largest)), case)) == red
    assert not failures(Mutant(), case)


@pytest.mark.parametrize(
    ("bits", "precision"), [(24, "fp32"), (11, "tf32 or fp16"), (8, "bf16")], ids=["fp32", "tf32", "bf16"]
)
def test_tier_2_names_the_precision(bits, precision):
    """Operands rounded to 24, 11 or 8 bits: forward, dX and dW each tell."""
    graph = real_graph()
    inputs = real_inputs(graph.num_nodes, 64, 16, bias=False)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, None, inputs.upstream)
    found = evaluate(Mutant(operands=rounded(bits) if bits < 24 else lambda t: t).bind(graph), inputs)

    for quantity in ("forward", "dX", "dW"):
        for declared in ("fp32", "tf32 or fp16", "bf16"):
            comparison = compare_precision(quantity, getattr(found, quantity), oracle, declared)
            assert comparison.passed is (declared == precision), comparison.summary
            assert comparison.got == precision
