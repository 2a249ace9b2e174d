"""gnnbench.numerics: the gradient by edge weights is right, its bound holds, and mistakes are named."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gnnbench.graphs import SELF_LOOPS, Graph, exact_probe_graphs, probe_graphs
from gnnbench.numerics import (
    compare_edge_weights,
    edge_weight_bound,
    edge_weight_gradient,
    evaluate_weighted,
    exact_inputs,
    gcn_oracle,
    real_inputs,
    require_exact_edge_weights,
)
from gnnbench.numerics.edge_weights import adjacency_tangent, edge_weight_headroom

#: Of at most 50 nodes, so that finite differences are quick; every one that has an edge.
SMALL = [probe for probe in probe_graphs() if probe.graph.num_edges > 0 and probe.graph.num_nodes <= 50]


def oracle_of(graph, inputs, self_loops="add"):
    return gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream, self_loops=self_loops)


def layer_of(graph, self_loops):
    """The layer from its definition, by a dense matrix: shares nothing with oracle or backends."""
    n = graph.num_nodes
    looped = set(graph.source[graph.source == graph.target].tolist())

    def layer(x, weight, bias, edge_weight):
        a = torch.zeros(n, n, dtype=edge_weight.dtype).index_put(
            (graph.target, graph.source), edge_weight, accumulate=True
        )
        nodes = {"add": range(n), "add_remaining": sorted(set(range(n)) - looped), "none": []}[self_loops]
        loops = torch.zeros(n, n, dtype=edge_weight.dtype)
        loops[list(nodes), list(nodes)] = 1
        a = a + loops
        degree = a.sum(dim=1)
        some = degree != 0
        scale = torch.where(some, torch.where(some, degree, 1.0).pow(-0.5), 0.0)
        out = torch.diag(scale) @ a @ torch.diag(scale) @ x @ weight
        return out if bias is None else out + bias

    return layer


def autograd(graph, inputs, self_loops, dtype=torch.float64):
    inputs = inputs.to("cpu", dtype)
    return evaluate_weighted(layer_of(graph, self_loops), inputs, graph.weights(dtype))[1]


@pytest.mark.parametrize("self_loops", SELF_LOOPS)
@pytest.mark.parametrize("probe", SMALL, ids=lambda probe: probe.name)
def test_the_closed_form_is_what_autograd_finds(probe, self_loops):
    """On every small probe and convention, to a few roundings of float64 relative to the largest."""
    inputs = real_inputs(probe.graph.num_nodes, *probe.widths, seed=5)
    expected = autograd(probe.graph, inputs, self_loops)

    found = edge_weight_gradient(oracle_of(probe.graph, inputs, self_loops))

    room = 1e-13 * float(expected.abs().max().clamp_min(1))
    torch.testing.assert_close(found, expected, rtol=0, atol=room)


@pytest.mark.parametrize("self_loops", SELF_LOOPS)
@pytest.mark.parametrize("name", ["mixed", "double_loop", "duplicates"])
def test_finite_differences_agree(name, self_loops):
    """gradcheck of Σ G ⊙ out, its backward pass being the closed form: no autograd of the layer is in it."""
    probe = next(probe for probe in SMALL if probe.name == name)
    inputs = real_inputs(probe.graph.num_nodes, 3, 2, seed=2)
    edges, n = probe.graph.edge_index, probe.graph.num_nodes

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, weight):
            ctx.oracle = oracle_of(Graph(edges, n, weight.detach()), inputs, self_loops)
            return (ctx.oracle.forward * ctx.oracle.inputs.upstream).sum()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * edge_weight_gradient(ctx.oracle)

    assert torch.autograd.gradcheck(Loss.apply, (probe.graph.weights(torch.float64).requires_grad_(),))


@pytest.mark.parametrize("self_loops", SELF_LOOPS)
@pytest.mark.parametrize("name", ["mixed", "double_loop", "duplicates", "own_loops"])
def test_the_tangent_is_the_difference_of_two_matrices(name, self_loops):
    """(Â(w + hq) - Â(w - hq)) / 2h, whose error is of the order of h² = 1e-10."""
    graph = next(probe.graph for probe in SMALL if probe.name == name)
    inputs, h = real_inputs(graph.num_nodes, 3, 2, seed=2), 1e-5
    direction = torch.linspace(-1, 1, graph.num_edges, dtype=torch.float64)
    ahead, behind = (
        oracle_of(
            Graph(graph.edge_index, graph.num_nodes, graph.weights(torch.float64) + step * direction),
            inputs,
            self_loops,
        ).adjacency
        for step in (h, -h)
    )

    tangent = adjacency_tangent(oracle_of(graph, inputs, self_loops), direction)

    found = (ahead.value - behind.value) / (2 * h)
    torch.testing.assert_close(tangent.value, found, rtol=0, atol=1e-8)
    assert tangent.value.any()


def test_only_what_is_asked_for_requires_a_gradient():
    """Frozen operands stay so; what was not asked for is not there."""
    graph, asked = SMALL[0].graph, []
    inputs = real_inputs(graph.num_nodes, 3, 2)

    def layer(*operands):
        asked.append([operand.requires_grad for operand in operands])
        return layer_of(graph, "add")(*operands)

    found, by_edge_weight = evaluate_weighted(layer, inputs, graph.weights(), ["dW"])
    nothing, _ = evaluate_weighted(layer, inputs, graph.weights(), [])

    assert asked == [[False, True, False, False], [False] * 4]
    assert found.dW is not None
    assert found.dX is found.db is by_edge_weight is nothing.dW is None


def test_by_hand():
    """One edge 0 → 1 of weight 3, degrees 1 and 4: Â_10 = 3/2, Â_11 = 1/4."""
    graph = Graph(torch.tensor([[0], [1]]), 2, torch.tensor([3.0]))
    one = torch.tensor([[2.0], [8.0]])
    oracle = gcn_oracle(graph, one, torch.ones(1, 1), None, torch.ones(2, 1))

    # out_1 = w·2/√(1+w) + 8/(1+w), and d/dw = 2/√d - w/d^(3/2) - 8/d² at d = 4: 1 - 3/8 - 1/2.
    assert edge_weight_gradient(oracle).tolist() == [1 / 8]


def test_duplicates_have_one_gradient_each():
    """Two edges at one place count with the same number, whatever their weights."""
    graph = Graph(torch.tensor([[0, 2, 0], [1, 1, 1]]), 3, torch.tensor([1.0, 2.0, 3.0]))
    gradient = edge_weight_gradient(oracle_of(graph, real_inputs(3, 3, 2)))

    assert gradient[0] == gradient[2] != 0


def test_a_node_of_degree_0_has_no_gradient_and_no_nan():
    """An edge of weight 0 into a node without loop: the root's derivative is infinite there, 0 by convention."""
    graph = Graph(torch.tensor([[0, 1], [0, 2]]), 3, torch.tensor([1.0, 0.0]))
    gradient = edge_weight_gradient(oracle_of(graph, real_inputs(3, 3, 2), "none"))

    assert gradient[1] == 0
    assert torch.isfinite(gradient).all()


@given(
    seed=st.integers(0, 2**31),
    nodes=st.integers(2, 12),
    edges=st.integers(1, 60),
    widths=st.tuples(st.integers(1, 40), st.integers(1, 8)),
    self_loops=st.sampled_from(["add", "add_remaining"]),
    rsqrt=st.booleans(),
    order=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_float32_keeps_to_the_bound(seed, nodes, edges, widths, self_loops, rsqrt, order):
    """Message passing all in float32, degrees too, by either root and in either order of the product."""
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(nodes, (2, edges), generator=generator)
    weight = torch.exp2(torch.rand(edges, generator=generator) * 12 - 6)
    graph = Graph(edge_index, nodes, weight)
    inputs = real_inputs(nodes, *widths, seed=seed)
    looped = graph.with_self_loops(self_loops)

    def layer(x, w, bias, edge_weight):
        every = torch.cat([edge_weight, torch.ones(looped.num_edges - edges)])
        degree = torch.zeros(nodes).index_add(0, looped.target, every)
        scale = degree.rsqrt() if rsqrt else degree.pow(-0.5)
        # A node whose own loops are its only edges has a weight of no less than 2^-6.
        value = (scale[looped.target] * every * scale[looped.source])[:, None]
        h = x @ w if order else x
        out = torch.zeros(nodes, h.shape[1]).index_add(0, looped.target, h[looped.source] * value)
        return (out if order else out @ w) + bias

    oracle = oracle_of(graph, inputs, self_loops)
    comparison = compare_edge_weights(evaluate_weighted(layer, inputs, weight)[1], oracle)

    assert comparison.passed, comparison.summary


def test_the_bound_is_a_small_share_of_the_gradient():
    """A bound that lets anything pass would be none: on every weighted probe most of it is below 1e-3."""
    for probe in SMALL:
        oracle = oracle_of(probe.graph, real_inputs(probe.graph.num_nodes, *probe.widths))
        gradient = edge_weight_gradient(oracle).abs()
        share = edge_weight_bound(oracle) / gradient.clamp_min(1e-30)
        if float(gradient.max()) > 0 and probe.name != "one_loop":
            assert float(share.median()) < 1e-3, probe.name


def test_exact_probes_are_told_from_others():
    """float32 gives the very bits where the headroom says so; real numbers are refused."""
    for self_loops in SELF_LOOPS:
        for probe in exact_probe_graphs(self_loops):
            oracle = oracle_of(probe.graph, inputs := exact_inputs(probe.graph.num_nodes), self_loops)
            if edge_weight_headroom(oracle) > 1:
                assert probe.name in {"exact_hub_1024", "exact_all"}
                continue
            got = autograd(probe.graph, inputs, self_loops, torch.float32)
            assert compare_edge_weights(got, oracle, exact=True).passed, probe.name

    probe = SMALL[0]
    with pytest.raises(ValueError, match="edge weights: expected partial sums that float32 holds exactly"):
        require_exact_edge_weights(oracle_of(probe.graph, real_inputs(probe.graph.num_nodes, 4, 4)))


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda g, graph: torch.zeros_like(g), "no gradient at all"),
        (lambda g, graph: 2 * g, "twice the gradient"),
        (lambda g, graph: g / 2, "half the gradient"),
        (lambda g, graph: g[keys(graph).argsort(stable=True)], "in the order of edges sorted by target"),
        (
            lambda g, graph: g[keys(graph.reversed()).argsort(stable=True)],
            "in the order of edges sorted by source",
        ),
        (lambda g, graph: torch.where(loops(graph), 0.0, g), "self-loops get no gradient"),
        (lambda g, graph: torch.where(loops(graph), g + 1, g), "exactly the self-loops are wrong"),
        (lambda g, graph: g / multiplicity(graph), "shared out among them"),
        (lambda g, graph: g * multiplicity(graph), "summed over them"),
        (lambda g, graph: torch.where(torch.arange(len(g)) == 3, g + 9, g), "the first wrong one is edge 3,"),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_mistakes_are_found_and_named(spoil, cause, exact):
    """Within the bound and bit for bit alike."""
    probes = exact_probe_graphs() if exact else probe_graphs()
    graph = next(probe.graph for probe in probes if probe.name.endswith("mixed"))
    inputs = exact_inputs(graph.num_nodes) if exact else real_inputs(graph.num_nodes, 8, 4)
    oracle = oracle_of(graph, inputs)
    right = edge_weight_gradient(oracle)

    assert compare_edge_weights(right.float(), oracle, exact=exact).passed
    comparison = compare_edge_weights(spoil(right, graph).float(), oracle, exact=exact)
    assert not comparison.passed
    assert comparison.where.startswith("edge ")
    assert cause in comparison.cause


def test_a_constant_normalisation_is_named():
    """Autograd through Â's numerator alone, as a layer gives it that normalises under no_grad."""
    graph = mixed()
    inputs = real_inputs(graph.num_nodes, 8, 4)
    looped = graph.with_self_loops("add")
    scale = looped.in_degree().rsqrt()

    def layer(x, w, bias, edge_weight):
        every = torch.cat([edge_weight.double(), torch.ones(graph.num_nodes, dtype=torch.float64)])
        value = (scale[looped.target] * every * scale[looped.source]).float()[:, None]
        h = x @ w
        return torch.zeros_like(h).index_add(0, looped.target, h[looped.source] * value) + bias

    found, gradient = evaluate_weighted(layer, inputs, graph.weights())
    comparison = compare_edge_weights(gradient, oracle_of(graph, inputs))

    assert found.dX is not None
    assert not comparison.passed
    assert comparison.cause.startswith("the normalisation is taken for a constant")


@pytest.mark.parametrize(
    ("got", "found"),
    [
        (None, "none"),
        (torch.ones(3), r"shape \[3\]"),
        (torch.ones(12, dtype=torch.float64), "float64"),
        (torch.full((12,), torch.nan), ""),
    ],
)
def test_what_is_no_gradient_fails(got, found):
    """A missing one, one of another shape or dtype, NaN."""
    graph = mixed()
    comparison = compare_edge_weights(got, oracle_of(graph, real_inputs(graph.num_nodes, 4, 4)))

    assert not comparison.passed
    assert re.search(found, comparison.got)


def test_a_layer_that_gives_no_tensor_has_no_gradients():
    """What it returned is the finding."""
    inputs = real_inputs(3, 2, 2)
    result, gradient = evaluate_weighted(lambda x, w, b, e: None, inputs, torch.ones(1))

    assert result.forward is None
    assert gradient is None


def mixed():
    return next(probe.graph for probe in probe_graphs() if probe.name == "mixed")


def loops(graph):
    return graph.source == graph.target


def keys(graph):
    return graph.target * graph.num_nodes + graph.source


def multiplicity(graph):
    return (keys(graph)[:, None] == keys(graph)).sum(dim=1)
