"""The GraphSAGE oracle against exact rationals, and its bounds: wide enough for rounding, too narrow for faults."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from mutants import rounded

from gnnbench.graphs import Graph, exact_probe_graphs, power_law, probe_graphs
from gnnbench.numerics import FP32, TF32
from gnnbench.numerics.operands import compare_answer, likely_cause, run_layer
from gnnbench.numerics.sage import (
    SageInputs,
    exact_sage_inputs,
    positive_sage_inputs,
    real_sage_inputs,
    require_exact_sage,
    sage_bound,
    sage_bounds,
    sage_headroom,
    sage_oracle,
)
from gnnbench.reference import UnsupportedByBackend
from gnnbench.reference.sage import sage_backends

CPU = torch.device("cpu")
U = 2.0**-24


def layers(graph, dtype=torch.float32):
    """Every clean layer that serves the graph, by name."""
    for backend in sage_backends():
        try:
            yield backend.name, backend.bind(graph, device=CPU, dtype=dtype)
        except UnsupportedByBackend:
            continue


def rationals(tensor):
    return [[Fraction(float(value)) for value in row] for row in tensor.double().tolist()]


def by_fractions(graph, inputs):
    """Forward, dX, dW_l and dW_r in exact arithmetic, one entry at a time."""
    n, (f, c) = graph.num_nodes, inputs.weight_l.shape
    x, left, right = (rationals(t) for t in (inputs.x, inputs.weight_l, inputs.weight_r))
    g, (b,) = rationals(inputs.upstream), rationals(inputs.bias[None])
    hears = [[s for s, t in graph.edge_index.T.tolist() if t == i] for i in range(n)]
    mean = [[sum(x[j][k] for j in hears[i]) / max(len(hears[i]), 1) for k in range(f)] for i in range(n)]
    spread = [
        [sum(hears[i].count(j) * g[i][o] / max(len(hears[i]), 1) for i in range(n)) for o in range(c)]
        for j in range(n)
    ]
    result = {
        "forward": [
            [sum(mean[i][k] * left[k][o] + x[i][k] * right[k][o] for k in range(f)) + b[o] for o in range(c)]
            for i in range(n)
        ],
        "dX": [
            [sum(spread[i][o] * left[k][o] + g[i][o] * right[k][o] for o in range(c)) for k in range(f)]
            for i in range(n)
        ],
        "dW_l": [[sum(mean[i][k] * g[i][o] for i in range(n)) for o in range(c)] for k in range(f)],
        "dW_r": [[sum(x[i][k] * g[i][o] for i in range(n)) for o in range(c)] for k in range(f)],
    }
    return {
        name: torch.tensor([[float(v) for v in row] for row in rows], dtype=torch.float64)
        for name, rows in result.items()
    }


@pytest.mark.parametrize("name", ["mixed", "double_loop", "multigraph", "isolated", "no_edges", "one_node"])
def test_the_oracle_is_right_to_the_last_digits(name):
    """Against rational arithmetic on small probes with everything in them."""
    graph = next(probe.graph for probe in probe_graphs() if probe.name == name)
    inputs = real_sage_inputs(graph.num_nodes, 3, 2)
    oracle = sage_oracle(graph, inputs)

    for quantity, exact in by_fractions(graph, inputs).items():
        torch.testing.assert_close(oracle.values[quantity], exact, rtol=1e-14, atol=1e-15)
    assert torch.equal(oracle.values["db"], inputs.upstream.double().sum(0))


class Through(torch.autograd.Function):
    """The oracle as a layer: what it gives, and the gradients it gives."""

    @staticmethod
    def forward(ctx, graph, *operands):
        ctx.graph, ctx.operands = graph, operands
        return oracle_of(graph, operands, None).values["forward"]

    @staticmethod
    def backward(ctx, gradient):
        values = oracle_of(ctx.graph, ctx.operands, gradient).values
        return None, values["dX"], values["dW_l"], values["dW_r"], values["db"]


def oracle_of(graph, operands, upstream):
    x, left, right, bias = (one.detach() for one in operands)
    upstream = torch.ones(x.shape[0], len(bias)) if upstream is None else upstream
    return sage_oracle(graph, SageInputs(x=x, weight_l=left, weight_r=right, bias=bias, upstream=upstream))


def test_the_oracles_gradients_are_those_of_its_forward_pass():
    """Finite differences in float64."""
    graph = probe_graphs()[0].graph
    generator = torch.Generator().manual_seed(3)
    operands = [
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((graph.num_nodes, 3), (3, 2), (3, 2), (2,))
    ]

    assert torch.autograd.gradcheck(lambda *taken: Through.apply(graph, *taken), operands)


def random_graph(seed):
    """Up to 40 nodes, some isolated, with duplicates and own loops."""
    generator = torch.Generator().manual_seed(seed)
    n = int(torch.randint(1, 40, (), generator=generator))
    edges = int(torch.randint(0, 200, (), generator=generator))
    return Graph(torch.randint(0, n, (2, edges), generator=generator), n)


@pytest.mark.parametrize("magnitude", [1.0, 2.0**-20, 2.0**20])
def test_clean_layers_are_within(magnitude):
    """Sixty random graphs, every layer, widths that make either order the cheaper one."""
    closest = 0.0
    for seed in range(60):
        graph = random_graph(seed)
        inputs = real_sage_inputs(graph.num_nodes, *((5, 9), (12, 3))[seed % 2], seed=seed)
        inputs = replace(inputs, x=inputs.x * magnitude)
        oracle = sage_oracle(graph, inputs)
        bounds = sage_bounds(oracle)
        for name, layer in layers(graph):
            for comparison in compare_answer(run_layer(layer, inputs), oracle, bounds):
                assert comparison.passed, (seed, name, comparison.summary)
                closest = max(closest, comparison.ratio)

    # Not vacuous either: rounding comes within a factor of ten of the bound.
    assert closest > 0.1


def test_one_product_of_both_is_within():
    """[M X, X] times the weights below each other, as fused kernels have it."""
    graph = power_law(300, 2400, seed=2, device="cpu")
    inputs = real_sage_inputs(300, 32, 8)
    oracle = sage_oracle(graph, inputs)
    source, target = graph.edge_index
    count = torch.bincount(target, minlength=300).clamp_min(1)[:, None]

    def fused(x, left, right, bias):
        mean = torch.zeros_like(x).index_add(0, target, x[source]) * (1 / count)
        return torch.addmm(bias, torch.cat([mean, x], 1), torch.cat([left, right]))

    for comparison in compare_answer(run_layer(fused, inputs), oracle, sage_bounds(oracle)):
        assert comparison.passed, comparison.summary


@pytest.mark.parametrize("degree", [4, 32, 256])
def test_each_lost_message_is_beyond(degree):
    """No edge of a graph with hubs of this degree can vanish from its sum unseen, forward or backward."""
    graph = power_law(400, 3000, seed=degree, device="cpu")
    hub = torch.stack([torch.arange(1, degree + 1), torch.zeros(degree, dtype=torch.int64)])
    graph = Graph(torch.cat([graph.edge_index, hub], dim=1), 400)
    oracle = sage_oracle(graph, real_sage_inputs(400, 32, 8))
    mean, inputs = oracle.mean, oracle.inputs

    forward = mean.value[:, None] * (inputs.x @ inputs.weight_l)[mean.source]
    backward = mean.value[:, None] * (inputs.upstream @ inputs.weight_l.T)[mean.target]

    assert float((forward.abs() / oracle.bound("forward")[mean.target]).amax(1).min()) > 1
    assert float((backward.abs() / oracle.bound("dX")[mean.source]).amax(1).min()) > 1


def test_tf32_is_beyond_float32_and_within_its_own_mode():
    """Operands rounded to 11 bits fail as float32 and pass as what they are."""
    graph = power_law(400, 3000, seed=1, device="cpu")
    inputs = real_sage_inputs(400, 32, 8)
    oracle = sage_oracle(graph, inputs)
    source, target = graph.edge_index
    count, cut = torch.bincount(target, minlength=400).clamp_min(1)[:, None], rounded(11)
    mean = torch.zeros_like(inputs.x).index_add(0, target, inputs.x[source]) / count
    out = cut(mean) @ cut(inputs.weight_l) + cut(inputs.x) @ cut(inputs.weight_r) + inputs.bias

    for mode, passes in ((FP32, False), (TF32, True)):
        (comparison,) = compare_answer(
            {"forward": out}, oracle, sage_bounds(oracle, mode), quantities=["forward"]
        )
        assert comparison.passed is passes, comparison.summary


def test_the_formula_on_one_node_with_a_loop():
    """One node that hears itself: every term of the bound can be written down."""
    inputs = real_sage_inputs(1, 3, 2)
    oracle = sage_oracle(Graph(torch.tensor([[0], [0]]), 1), inputs)
    x, left, right, b, g = (
        t.abs().double() for t in (inputs.x, inputs.weight_l, inputs.weight_r, inputs.bias, inputs.upstream)
    )

    def inflated(units):
        return units * U / (1 - units * U)

    # Two for the mean in each; 1 neighbour, 3 features heard and 3 own, 2 additions; 1 edge back, 2 channels
    # twice, 2; longest row 1, one node, 1; one node; one node.
    expected = {
        "forward": inflated(2 + 1 + 3 + 3 + 2) * (x @ left + x @ right + b),
        "dX": inflated(2 + 1 + 4 + 2) * (g @ left.T + g @ right.T),
        "dW_l": inflated(2 + 1 + 1 + 1) * (x.T @ g),
        "dW_r": inflated(2 + 1) * (x.T @ g),
        "db": inflated(1) * g[0],
    }
    for quantity, bound in sage_bounds(oracle).items():
        torch.testing.assert_close(bound, expected[quantity], rtol=1e-12, atol=0)


@pytest.mark.parametrize("probe", exact_probe_graphs("none"), ids=lambda probe: probe.name)
def test_exact_probes_are_exact(probe):
    """In-degrees that are powers of 4 and whole numbers: float32 has every bit of float64."""
    inputs = exact_sage_inputs(probe.graph.num_nodes)
    oracle = sage_oracle(probe.graph, inputs)
    require_exact_sage(oracle)

    assert max(sage_headroom(oracle).values()) > 1e-6
    for name, layer in layers(probe.graph):
        for comparison in compare_answer(run_layer(layer, inputs), oracle, None):
            assert comparison.passed, (name, comparison.summary)


def test_probes_that_would_round_are_refused():
    """A third is no number of float32; and whole numbers + 2^-18 need more bits than it has, if not by much."""
    plain = exact_probe_graphs("none")[0].graph
    inputs = exact_sage_inputs(plain.num_nodes)
    with pytest.raises(ValueError, match="forward: .* found some that may need [1-9][0-9.]* times"):
        require_exact_sage(sage_oracle(plain, replace(inputs, x=inputs.x + 2.0**-18)))
    graph = Graph(torch.tensor([[0, 1, 2], [3, 3, 3]]), 4)
    with pytest.raises(ValueError, match="forward: expected partial sums that float32 holds exactly"):
        require_exact_sage(sage_oracle(graph, exact_sage_inputs(4)))


def test_positive_operands_show_a_count_that_is_one_short():
    """2,048 for 2,049: beyond the bound where nothing cancels, and within it where messages do."""
    graph = next(probe.graph for probe in probe_graphs() if probe.name == "hub_2049")
    ratios = {}
    for draw in (positive_sage_inputs, real_sage_inputs):
        oracle = sage_oracle(graph, draw(graph.num_nodes, 16, 8))
        short = replace(oracle.mean, value=oracle.mean.value.clamp_min(1 / 2048))
        difference = (oracle.under(short).values["forward"] - oracle.values["forward"]).abs()
        ratios[draw] = float((difference / oracle.bound("forward")).max())

    assert ratios[positive_sage_inputs] > 2
    assert ratios[real_sage_inputs] < 1


def test_causes_are_named_only_where_the_numbers_fit():
    """A number too many at one node fits no known cause; a NaN is said to be one."""
    graph = next(probe.graph for probe in probe_graphs() if probe.name == "mixed")
    oracle = sage_oracle(graph, real_sage_inputs(graph.num_nodes, 4, 3))
    got = oracle.values["forward"].clone()
    got[3, 1] += 1
    beyond = got != oracle.values["forward"]

    assert likely_cause("forward", got, beyond, oracle) == (
        "no known cause fits; all wrong entries are in node 3"
    )
    got[3, 1] = torch.nan
    assert likely_cause("forward", got, beyond, oracle).startswith(
        "nan at 1 entries, first at node 3, channel 1"
    )
    assert "nothing was written" in likely_cause("forward", torch.zeros_like(got), beyond, oracle)


def test_what_makes_no_sense_is_refused():
    """Shapes that do not fit, numbers that are none, names that are none."""
    inputs = real_sage_inputs(3, 4, 2)
    graph = Graph(torch.tensor([[0], [1]]), 3)
    with pytest.raises(ValueError, match=r"weight_r: expected shape \[4, 2\], found \[4, 1\]"):
        replace(inputs, weight_r=inputs.weight_r[:, :1])
    with pytest.raises(ValueError, match="expected a row for each of 2 nodes, found 3"):
        sage_oracle(Graph(torch.zeros(2, 0, dtype=torch.int64), 2), inputs)
    with pytest.raises(ValueError, match=r"x\[0, 0\]: expected a finite number"):
        sage_oracle(graph, replace(inputs, x=torch.full_like(inputs.x, torch.inf)))
    with pytest.raises(ValueError, match="expected one of forward, dX, dW_l, dW_r, found 'db'"):
        sage_bound(sage_oracle(graph, replace(inputs, bias=None)), "db")
