"""gnnbench.numerics: the float64 oracle is right, by arithmetic that shares nothing with it."""

import math
from decimal import Decimal, localcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gnnbench.graphs import Graph
from gnnbench.numerics import QUANTITIES, evaluate, gcn_oracle, normalised_adjacency, real_inputs
from gnnbench.numerics import adjacency as adjacency_module

#: Digits of the decimal arithmetic below: rounding in it is nothing beside float64's.
DIGITS = 60


@st.composite
def cases(draw):
    """A small multigraph with loops, duplicates and weights, and operands of every magnitude that matters."""
    n = draw(st.integers(1, 6))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=14))
    weights = draw(st.none() | st.just([]))
    if weights is not None:
        weights = draw(st.lists(st.floats(0, 64, width=32), min_size=len(edges), max_size=len(edges)))
        weights = torch.tensor(weights, dtype=torch.float32)
    graph = Graph(torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T.contiguous(), n, weights)
    inputs = real_inputs(
        n,
        draw(st.integers(1, 4)),
        draw(st.integers(1, 3)),
        seed=draw(st.integers(0, 2**31)),
        bias=draw(st.booleans()),
    )
    return graph, inputs, draw(st.sampled_from(["add", "add_remaining", "none"]))


def by_decimal(graph, inputs, self_loops):
    """The layer's definition, entry by entry, in decimal numbers. Returns values and Σ|terms| of each."""
    n = graph.num_nodes
    weights = [1.0] * graph.num_edges if graph.edge_weight is None else graph.edge_weight.tolist()
    a = [[Decimal(0)] * n for _ in range(n)]
    looped = set()
    for (source, target), weight in zip(graph.edge_index.T.tolist(), weights, strict=True):
        a[target][source] += Decimal(weight)
        looped |= {source} if source == target else set()
    for i in range(n):
        if self_loops == "add" or (self_loops == "add_remaining" and i not in looped):
            a[i][i] += 1
    degree = [sum(row) for row in a]
    scale = [1 / d.sqrt() if d else Decimal(0) for d in degree]
    a = [[scale[i] * a[i][j] * scale[j] for j in range(n)] for i in range(n)]
    x, w, g = (
        [[Decimal(v) for v in row] for row in t.tolist()] for t in (inputs.x, inputs.weight, inputs.upstream)
    )
    b = [Decimal(0)] * len(w[0]) if inputs.bias is None else [Decimal(v) for v in inputs.bias.tolist()]

    def times(p, q):
        return [
            [sum(u * v for u, v in zip(row, col, strict=True)) for col in zip(*q, strict=True)] for row in p
        ]

    def turned(p):
        return [list(row) for row in zip(*p, strict=True)]

    def absolute(p):
        return [[abs(v) for v in row] for row in p]

    def results(a, x, w, g, b):
        back = times(turned(a), g)
        forward = [[v + u for v, u in zip(row, b, strict=True)] for row in times(a, times(x, w))]
        return {
            "forward": forward,
            "dX": times(back, turned(w)),
            "dW": times(turned(x), back),
            "db": [[sum(col)] for col in zip(*g, strict=True)],
        }

    values = results(a, x, w, g, b)
    sizes = results(absolute(a), absolute(x), absolute(w), absolute(g), [abs(v) for v in b])
    return values, sizes


@given(cases())
@settings(max_examples=150, deadline=None)
def test_oracle_is_exact_to_float64(case):
    """Every entry agrees with 60-digit decimal arithmetic to a few float64 roundings a term."""
    graph, inputs, self_loops = case
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream, self_loops=self_loops)
    with localcontext() as context:
        context.prec = DIGITS
        values, sizes = by_decimal(graph, inputs, self_loops)
        for quantity in QUANTITIES:
            if quantity == "db" and inputs.bias is None:
                assert oracle.db is None
                continue
            got = oracle.of(quantity).reshape(len(values[quantity]), -1).tolist()
            for got_row, row, size_row in zip(got, values[quantity], sizes[quantity], strict=True):
                for one, value, size in zip(got_row, row, size_row, strict=True):
                    # At most 14 edges, 6 loops, 4 features, the degrees and their roots: 64 roundings a path.
                    assert abs(Decimal(one) - value) <= size * Decimal(64 * 2.0**-53)


def test_long_sums_agree_with_fsum():
    """A hub of 5,000 neighbours: float64 in any order is within its own tiny bound of the exact sum."""
    n = 5001
    graph = Graph(torch.stack([torch.arange(1, n), torch.zeros(n - 1, dtype=torch.int64)]), n)
    inputs = real_inputs(n, 1, 1, seed=3, bias=False)

    oracle = gcn_oracle(graph, inputs.x, inputs.weight, None, inputs.upstream)

    scale = 1 / math.sqrt(n)
    w = float(inputs.weight)
    terms = [scale * scale * float(inputs.x[0]) * w, *(scale * v * w for v in inputs.x[1:, 0].tolist())]
    exact = math.fsum(terms)
    assert abs(float(oracle.forward[0, 0]) - exact) <= n * 2.0**-53 * math.fsum(map(abs, terms))


def test_gradients_are_those_of_autograd():
    """dX, dW and db are the derivatives of Σ G ⊙ out, as float64 autograd takes them."""
    graph = Graph(
        torch.tensor([[0, 1, 1, 3, 3], [1, 2, 2, 3, 0]]), 5, torch.tensor([0.5, 2.0, 1.5, 0.25, 3.0])
    )
    inputs = real_inputs(5, 3, 4, seed=1)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    a = normalised_adjacency(graph)
    dense = torch.zeros(5, 5, dtype=torch.float64).index_put_((a.target, a.source), a.value, accumulate=True)

    found = evaluate(lambda x, w, b: dense @ x @ w + b, inputs.to("cpu", torch.float64))

    for quantity in QUANTITIES:
        torch.testing.assert_close(getattr(found, quantity), oracle.of(quantity), rtol=1e-14, atol=1e-14)


def test_blocks_change_nothing(monkeypatch):
    """A product taken in small blocks is the same to the last bit."""
    graph = Graph(torch.randint(9, (2, 50), generator=torch.Generator().manual_seed(0)), 9)
    inputs = real_inputs(9, 4, 3)
    whole = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)

    monkeypatch.setattr(adjacency_module, "_BLOCK", 7)
    parts = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)

    assert torch.equal(whole.forward, parts.forward)
    assert torch.equal(whole.dX, parts.dX)


def test_threads_are_given_back():
    """The oracle runs on one thread and leaves the number as it was, also when it refuses."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        inputs = real_inputs(2, 2, 2)
        gcn_oracle(
            Graph(torch.zeros(2, 0, dtype=torch.int64), 2), inputs.x, inputs.weight, None, inputs.upstream
        )
        with pytest.raises(ValueError, match="in-degree"):
            gcn_oracle(
                Graph(torch.tensor([[0], [1]]), 2, torch.tensor([-3.0])),
                inputs.x,
                inputs.weight,
                None,
                inputs.upstream,
            )

        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.ones(3, 2)}, r"x: expected a row for each of 2 nodes, found 3"),
        ({"weight": torch.ones(3, 2)}, r"weight: expected shape \[2, 2\], found \[3, 2\]"),
        ({"bias": torch.ones(3)}, r"bias: expected shape \[2\], found \[3\]"),
        ({"upstream": torch.ones(2, 1)}, r"upstream: expected shape \[2, 2\], found \[2, 1\]"),
        ({"x": torch.tensor([[1.0, 2.0], [3.0, math.nan]])}, r"x\[1, 1\]: expected a finite number"),
        ({"self_loops": "some"}, "self_loops: expected 'add', 'add_remaining' or 'none', found 'some'"),
    ],
)
def test_bad_operands_are_refused(change, message):
    """Each refusal names what is wrong."""
    operands = {
        "x": torch.ones(2, 2),
        "weight": torch.ones(2, 2),
        "bias": torch.ones(2),
        "upstream": torch.ones(2, 2),
        **change,
    }
    with pytest.raises(ValueError, match=message):
        gcn_oracle(Graph(torch.tensor([[0], [1]]), 2), **operands)
