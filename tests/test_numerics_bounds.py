"""gnnbench.numerics.bounds: wide enough for every correct layer, tight enough for one edge."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import Mutant, rounded

from gnnbench.graphs import Graph, power_law, probe_graphs
from gnnbench.numerics import (
    FP32,
    QUANTITIES,
    TF32,
    compare,
    evaluate,
    gcn_bound,
    gcn_bounds,
    gcn_oracle,
    growth,
    real_inputs,
)

U = 2.0**-24


def oracle_of(graph, inputs, self_loops="add"):
    return gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream, self_loops=self_loops)


def propagated(graph, self_loops="add"):
    """Â in float32, normalised in float32, as dense matrix and as triplets."""
    source, target, value = Mutant().propagation(graph, self_loops)
    dense = torch.zeros(graph.num_nodes, graph.num_nodes)
    return dense.index_put_((target, source), value, accumulate=True), source, target, value


def orders(graph, self_loops="add"):
    """Correct float32 layers that differ in the order of everything."""
    dense, source, target, value = propagated(graph, self_loops)
    csr = torch.sparse_coo_tensor(torch.stack([target, source]), value, dense.shape, check_invariants=False)
    shuffle = torch.randperm(len(value), generator=torch.Generator().manual_seed(5))

    def factored(x, w, b):
        # d^-1/2 applied on both sides of a plain sum.
        ws, wt, weight = (t for t in looped32(graph, self_loops))
        degree = torch.zeros(graph.num_nodes).index_add_(0, wt, weight)
        scale = torch.where(degree > 0, degree.pow(-0.5), 0.0)[:, None]
        h = scale * (x @ w)
        return scale * torch.zeros(h.shape).index_add(0, wt, weight[:, None] * h[ws]) + b

    def scattered(h):
        s, t, v = source[shuffle], target[shuffle], value[shuffle]
        return torch.zeros(h.shape).index_add(0, t, v[:, None] * h[s])

    return {
        "dense": lambda x, w, b: dense @ (x @ w) + b,
        "aggregate first": lambda x, w, b: (dense @ x) @ w + b,
        "coo": lambda x, w, b: torch.sparse.mm(csr, x @ w) + b,
        "scatter, shuffled": lambda x, w, b: scattered(x @ w) + b,
        "scatter features, shuffled": lambda x, w, b: scattered(x) @ w + b,
        "factored": factored,
    }


def looped32(graph, self_loops):
    same = Mutant(normalise=lambda s, t, w, d: w)
    return same.propagation(graph, self_loops)


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 40))
    node = st.integers(0, n - 1)
    hub = draw(st.integers(0, n - 1))
    edges = draw(st.lists(st.tuples(node, node | st.just(hub)), max_size=120))
    weight = None
    if draw(st.booleans()):
        generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
        weight = torch.exp2(torch.rand(len(edges), generator=generator) * 16 - 8)
    return Graph(torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T.contiguous(), n, weight)


@given(
    graphs(),
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 64), st.integers(1, 9)),
    st.sampled_from(["add", "add_remaining", "none"]),
)
@settings(max_examples=60, deadline=None)
def test_every_correct_order_is_within(graph, seed, widths, self_loops):
    """Dense, sparse, scattered, factored, transform first or last: forward and backward."""
    inputs = real_inputs(graph.num_nodes, *widths, seed=seed)
    oracle = oracle_of(graph, inputs, self_loops)
    bounds = gcn_bounds(oracle)

    for order, layer in orders(graph, self_loops).items():
        found = evaluate(layer, inputs)
        for quantity in QUANTITIES:
            comparison = compare(quantity, getattr(found, quantity), oracle, bounds[quantity])
            assert comparison.passed, (order, comparison.summary)


@pytest.mark.parametrize("weight", [None, 0.1, 1 / 3])
def test_equal_weights_on_a_hub_are_within(weight):
    """2,049 equal weights round the same way again and again: the worst case of an honest sum."""
    n = 2050
    edges = torch.stack([torch.arange(1, n), torch.zeros(n - 1, dtype=torch.int64)])
    graph = Graph(edges, n, None if weight is None else torch.full((n - 1,), weight))
    inputs = real_inputs(n, 8, 4)
    oracle = oracle_of(graph, inputs)

    for layer in orders(graph).values():
        found = evaluate(layer, inputs)
        for quantity in QUANTITIES:
            comparison = compare(quantity, getattr(found, quantity), oracle)
            assert comparison.passed, comparison.summary


def test_signed_weights_widen_the_bound_by_their_cancellation():
    """Weights of both signs nearly cancel in a degree: float32 loses digits, and the bound knows how many."""
    n = 202
    weight = torch.rand(200, generator=torch.Generator().manual_seed(0)) * 1000
    weight[100:] *= -1
    # In float64 the degree of node 0 is then about 5, in float32 it has two digits left.
    weight[-1] -= float(weight.double().sum()) - 4
    edges = torch.cat(
        [torch.stack([torch.arange(2, n), torch.zeros(200, dtype=torch.int64)]), torch.tensor([[0], [1]])], 1
    )
    graph = Graph(edges, n, torch.cat([weight, torch.tensor([0.5])]))
    inputs = real_inputs(n, 4, 3)
    oracle = oracle_of(graph, inputs)
    found = evaluate(Mutant().bind(graph), inputs)
    error = (found.forward - oracle.forward).abs()[1]

    assert compare("forward", found.forward, oracle).passed
    # Without cancellation the row of node 1, which hears node 0, would have no room for this error.
    tame = oracle_of(Graph(edges, n, graph.edge_weight.abs()), inputs)
    size = (gcn_bound(tame, "forward") / tame.forward.abs())[1] * oracle.forward.abs()[1]
    assert (error > size).any()


def test_the_formula_on_one_node():
    """One node, one loop, Â = 1: every term of the bound can be written down."""
    inputs = real_inputs(1, 3, 2)
    oracle = oracle_of(Graph(torch.zeros(2, 0, dtype=torch.int64), 1), inputs)
    x, w, g, b = (t.abs().double() for t in (inputs.x, inputs.weight, inputs.upstream, inputs.bias))

    def inflated(units):
        return units * U / (1 - units * U)

    # 2·8 + 2 roundings in Â_ii; 3 features, 1 message, 1 bias; 2 channels back; 1 row.
    expected = {
        "forward": inflated(18 + 3 + 1 + 1) * (x @ w + b),
        "dX": inflated(18 + 1 + 2 + 1) * (g @ w.T),
        "dW": inflated(18 + 1 + 1 + 1) * (x.T @ g),
        "db": inflated(1) * g[0],
    }
    for quantity in QUANTITIES:
        torch.testing.assert_close(gcn_bound(oracle, quantity), expected[quantity], rtol=1e-12, atol=0)


def test_growth_is_certain_then_probable():
    """m up to 64 = λ², λ√m from there."""
    m = torch.tensor([0.0, 1.0, 63.0, 64.0, 65.0, 10_000.0], dtype=torch.float64)

    assert growth(m).tolist() == pytest.approx([0, 1, 63, 64, 8 * math.sqrt(65), 800])


def test_weighted_degrees_widen_the_bound():
    """Sums of weights round, counts do not."""
    graph = probe_graphs()[0].graph
    inputs = real_inputs(graph.num_nodes, 4, 3)
    weighted = oracle_of(graph, inputs)
    # The same Â, as if its degrees had been counted.
    counted = weighted.under()
    object.__setattr__(counted, "graph", Graph(graph.edge_index, graph.num_nodes))

    for quantity in ("forward", "dX", "dW"):
        wide, narrow = gcn_bound(weighted, quantity), gcn_bound(counted, quantity)
        assert (wide >= narrow).all()
        assert (wide > narrow).any()
    assert torch.equal(gcn_bound(weighted, "db"), gcn_bound(counted, "db"))


def test_zeros_add_nothing():
    """An entry to which nothing but zeros contribute has no room at all."""
    graph = Graph(torch.tensor([[0], [1]]), 3)
    inputs = real_inputs(3, 4, 2, bias=False)
    inputs.x[2] = 0
    bound = gcn_bound(oracle_of(graph, inputs), "forward")

    assert (bound[2] == 0).all()
    assert (bound[:2] > 0).all()


@pytest.mark.parametrize("degree", [4, 32, 256])
def test_each_lost_message_is_beyond(degree):
    """No edge of a graph with hubs of this degree can vanish unseen, forward or backward."""
    graph = power_law(400, 3000, seed=degree, device="cpu")
    hub = torch.stack([torch.arange(1, degree + 1), torch.zeros(degree, dtype=torch.int64)])
    graph = Graph(torch.cat([graph.edge_index, hub], dim=1), 400)
    inputs = real_inputs(400)
    oracle = oracle_of(graph, inputs)
    a = oracle.adjacency
    edges = a.source[: graph.num_edges], a.target[: graph.num_edges], a.value[: graph.num_edges, None]

    source, target, value = edges
    forward = (value * (oracle.inputs.x @ oracle.inputs.weight)[source]).abs() / gcn_bound(oracle, "forward")[
        target
    ]
    backward = (value * (oracle.inputs.upstream @ oracle.inputs.weight.T)[target]).abs() / gcn_bound(
        oracle, "dX"
    )[source]

    assert float(forward.max(dim=1).values.min()) > 2
    assert float(backward.max(dim=1).values.min()) > 2


def test_tf32_is_beyond_float32_and_within_its_own_mode():
    """Operands rounded to 11 bits fail as float32 and pass as what they are."""
    graph = power_law(400, 3000, seed=1, device="cpu")
    inputs = real_inputs(400)
    oracle = oracle_of(graph, inputs)
    found = evaluate(Mutant(operands=rounded(11)).bind(graph), inputs)

    for quantity in ("forward", "dX", "dW"):
        got = getattr(found, quantity)
        as_fp32 = compare(quantity, got, oracle, gcn_bound(oracle, quantity, FP32))
        as_tf32 = compare(quantity, got, oracle, gcn_bound(oracle, quantity, TF32))
        # dW sums over all nodes, which hides much of it; Tier 2 is there for that.
        assert as_fp32.ratio > (1 if quantity == "dW" else 5), quantity
        assert as_tf32.passed, quantity


def test_unknown_quantities_are_refused():
    """A name that is none, and db of a layer that has no bias."""
    inputs = real_inputs(2, 2, 2, bias=False)
    oracle = oracle_of(Graph(torch.tensor([[0], [1]]), 2), inputs)

    with pytest.raises(ValueError, match="expected one of forward, dX, dW, db, found 'dZ'"):
        gcn_bound(oracle, "dZ")
    with pytest.raises(ValueError, match="db: the layer has no bias"):
        gcn_bound(oracle, "db")
    assert set(gcn_bounds(oracle)) == {"forward", "dX", "dW"}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("copies", [100, 2_000, 50_000])
def test_equal_terms_that_round_alike_are_within(copies, weighted):
    """One edge many times over, added one by one: every rounding but a few goes the same way."""
    pairs = torch.cat([torch.tensor([[2], [1]]), torch.tensor([[0], [1]]).expand(2, copies)], dim=1)
    weight = torch.cat([torch.tensor([copies * 1.7]), torch.full((copies,), 1.3)])
    graph = Graph(pairs, 3, weight if weighted else None)
    worst = 0.0
    for seed in range(4):
        inputs = real_inputs(3, 4, 8, seed=seed)
        oracle = oracle_of(graph, inputs)
        found = evaluate(Mutant().bind(graph), inputs)
        worst = max(worst, *(compare(name, getattr(found, name), oracle).ratio for name in QUANTITIES))

    assert 0.01 < worst <= 1


def test_only_equal_terms_widen_the_bound():
    """100 edges from 100 nodes grow as 8·√m; with 99 of them equal, Σ r² passes m² and only m is left."""
    inputs = real_inputs(101, 1, 1, bias=False)
    x = inputs.x.clone()
    x[0] = 0
    apart = torch.stack([torch.arange(1, 101), torch.zeros(100, dtype=torch.int64)])
    alike = apart.clone()
    alike[0] = alike[0].clamp(99)
    errors = []
    for pairs in (apart, alike):
        oracle = gcn_oracle(Graph(pairs, 101), x, inputs.weight, None, inputs.upstream)
        magnitude = oracle.adjacency.absolute @ (oracle.inputs.x.abs() @ oracle.inputs.weight.abs())
        relative = gcn_bound(oracle, "forward")[0, 0] / magnitude[0, 0]
        errors.append(float(relative / (1 + relative) / U))

    # 18 for Â's entry, then 101 messages, one inner product of length 1 each, and the bias.
    assert errors == pytest.approx([18 + 8 * math.sqrt(103), 18 + 103])


def test_edges_from_nodes_without_a_degree_round_the_degree_too():
    """Without self-loops their messages are zero, and their weights are summed all the same."""
    leaves, worst = 600, 0.0
    into = torch.stack([torch.arange(2, 2 + leaves), torch.zeros(leaves, dtype=torch.int64)])
    # Of all who speak to node 0 only node 1 is spoken to.
    pairs = torch.cat([into, torch.tensor([[1, 0], [0, 1]])], dim=1)
    inputs = real_inputs(2 + leaves, 1, 1)
    for quarter in range(-8, 8):
        graph = Graph(pairs, 2 + leaves, torch.full((leaves + 2,), 2 ** (quarter / 4)))
        oracle = oracle_of(graph, inputs, "none")
        found = evaluate(Mutant().bind(graph, self_loops="none"), inputs)
        worst = max(worst, *(compare(name, getattr(found, name), oracle).ratio for name in QUANTITIES))
        assert oracle.adjacency.row_counts.tolist()[:2] == [1, 1]

    assert 0.1 < worst <= 1
