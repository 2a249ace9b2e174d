"""The GAT oracle against loops and finite differences, and its bounds: wide enough, and too narrow for faults."""

import math
from dataclasses import replace

import pytest
import torch
from layer_mutants import GatMutant, highest
from mutants import rounded

from gnnbench.graphs import Graph, exact_probe_graphs, power_law, probe_graphs
from gnnbench.numerics.gat import (
    GatInputs,
    equal_gat_inputs,
    gat_bound,
    gat_bounds,
    gat_headroom,
    gat_oracle,
    real_gat_inputs,
    require_equal_shares,
)
from gnnbench.numerics.gat.bounds import track
from gnnbench.numerics.operands import compare_answer, likely_cause, run_layer
from gnnbench.reference import UnsupportedByBackend
from gnnbench.reference.gat import gat_backends

CPU = torch.device("cpu")
SMALL = [probe for probe in probe_graphs() if probe.graph.num_nodes < 20]


def layers(graph, concat):
    """Every clean layer that serves the graph, and one that differentiates its maximum."""
    for backend in (*gat_backends(), GatMutant("maximum", maximum=highest)):
        try:
            yield backend.name, backend.bind(graph, device=CPU, dtype=torch.float32, concat=concat)
        except UnsupportedByBackend:
            continue


def by_loops(graph, x, weight, att_src, att_dst, bias, concat):
    """The definition in plain float64 numbers, sums by `math.fsum`."""
    heads, channels = att_src.shape
    x, weight, att_src, att_dst = (t.double().tolist() for t in (x, weight, att_src, att_dst))
    edges = [(s, t) for s, t in graph.edge_index.T.tolist() if s != t]
    rows = []
    for i in range(graph.num_nodes):
        hears = [s for s, t in edges if t == i] + [i]
        outs = []
        for head in range(heads):
            h = {
                j: [
                    math.fsum(x[j][f] * weight[f][head * channels + c] for f in range(len(weight)))
                    for c in range(channels)
                ]
                for j in hears
            }
            scores = []
            for j in hears:
                score = math.fsum(
                    [*(a * v for a, v in zip(att_src[head], h[j], strict=True)),
                     *(a * v for a, v in zip(att_dst[head], h[i], strict=True))]
                )  # fmt: skip
                scores.append(score if score > 0 else 0.2 * score)
            exponentials = [math.exp(score - max(scores)) for score in scores]
            total = math.fsum(exponentials)
            outs.append(
                [
                    math.fsum(e / total * h[j][c] for e, j in zip(exponentials, hears, strict=True))
                    for c in range(channels)
                ]
            )
        rows.append(
            [value for out in outs for value in out]
            if concat
            else [math.fsum(out[c] for out in outs) / heads for c in range(channels)]
        )
    return torch.tensor(rows, dtype=torch.float64) + bias.double()


@pytest.mark.parametrize("concat", [True, False], ids=["concatenated", "averaged"])
@pytest.mark.parametrize("probe", SMALL, ids=lambda probe: probe.name)
def test_the_oracle_is_right_to_the_last_digits(probe, concat):
    """Against loops over nodes, heads and channels."""
    inputs = real_gat_inputs(probe.graph.num_nodes, 4, 2, heads=3, concat=concat)
    operands = list(inputs.by_gradient().values())
    oracle = gat_oracle(probe.graph, inputs)

    torch.testing.assert_close(
        oracle.values["forward"], by_loops(probe.graph, *operands, concat), rtol=1e-13, atol=1e-14
    )


class Through(torch.autograd.Function):
    """The oracle as a layer: what it gives, and the gradients it gives."""

    @staticmethod
    def forward(ctx, graph, concat, *operands):
        ctx.graph, ctx.concat, ctx.operands = graph, concat, operands
        return oracle_of(graph, concat, operands, None).values["forward"]

    @staticmethod
    def backward(ctx, gradient):
        values = oracle_of(ctx.graph, ctx.concat, ctx.operands, gradient).values
        return None, None, *(values[name] for name in ("dX", "dW", "da_src", "da_dst", "db"))


def oracle_of(graph, concat, operands, upstream):
    x, weight, att_src, att_dst, bias = (one.detach() for one in operands)
    upstream = torch.ones(x.shape[0], len(bias)) if upstream is None else upstream
    return gat_oracle(
        graph,
        GatInputs(
            x=x, weight=weight, att_src=att_src, att_dst=att_dst, bias=bias, upstream=upstream, concat=concat
        ),
    )


@pytest.mark.parametrize("concat", [True, False], ids=["concatenated", "averaged"])
@pytest.mark.parametrize("name", ["mixed", "double_loop", "multigraph", "one_node"])
def test_the_oracles_gradients_are_those_of_its_forward_pass(name, concat):
    """Finite differences in float64."""
    graph = next(probe.graph for probe in probe_graphs() if probe.name == name)
    generator = torch.Generator().manual_seed(3)
    operands = [
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((graph.num_nodes, 3), (3, 6), (3, 2), (3, 2), (6 if concat else 2,))
    ]

    assert torch.autograd.gradcheck(lambda *taken: Through.apply(graph, concat, *taken), operands)


@pytest.mark.parametrize("concat", [True, False], ids=["concatenated", "averaged"])
@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize(
    "probe", [p for p in probe_graphs() if p.graph.num_nodes <= 300], ids=lambda p: p.name
)
def test_the_analysis_computes_what_the_oracle_does(probe, scale, concat):
    """The bound belongs to this layer: its exact values are the oracle's, found in other words."""
    inputs = real_gat_inputs(probe.graph.num_nodes, probe.widths[0], 4, heads=3, concat=concat, scale=scale)
    oracle = gat_oracle(probe.graph, inputs)

    for quantity, tracked in track(oracle).items():
        expected = oracle.values[quantity]
        assert float((tracked.value - expected).abs().max()) <= 1e-14 * float(tracked.size.max())
        assert (tracked.size >= expected.abs() + tracked.error).all()
        assert torch.isfinite(tracked.error).all()


def random_graph(seed):
    """Up to 30 nodes, some alone, with duplicates and own loops."""
    generator = torch.Generator().manual_seed(seed)
    n = int(torch.randint(1, 30, (), generator=generator))
    edges = int(torch.randint(0, 150, (), generator=generator))
    return Graph(torch.randint(0, n, (2, edges), generator=generator), n)


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0, 100.0, 1000.0])
def test_clean_layers_are_within(scale):
    """Forty random graphs, every layer: scores from hardly any to what no exponential holds."""
    ratios = []
    for seed in range(40):
        graph, concat = random_graph(seed), seed % 3 > 0
        inputs = real_gat_inputs(
            graph.num_nodes,
            (3, 16)[seed % 2],
            4,
            heads=(1, 3)[seed % 5 > 0],
            concat=concat,
            scale=scale,
            seed=seed,
        )
        oracle = gat_oracle(graph, inputs)
        bounds = gat_bounds(oracle)
        for name, layer in layers(graph, concat):
            for comparison in compare_answer(run_layer(layer, inputs), oracle, bounds):
                assert comparison.passed, (seed, name, comparison.summary)
                if comparison.name == "forward":
                    ratios.append(comparison.ratio)

    # Not vacuous: the typical forward pass comes within a factor of a thousand.
    assert sorted(ratios)[len(ratios) // 2] > 1e-3


@pytest.mark.parametrize("extreme", ["ties", "zeros", "tiny", "huge", "wide"])
def test_clean_layers_are_within_on_hostile_operands(extreme):
    """All scores equal, all zero; features of 2^-40 and 2^40; features that differ by 2^40."""
    graph = next(probe.graph for probe in probe_graphs() if probe.name == "mixed")
    inputs = real_gat_inputs(graph.num_nodes, 6, 4, heads=3)
    x = inputs.x
    exponent = torch.randint(-20, 21, x.shape, generator=torch.Generator().manual_seed(0)).float()
    inputs = {
        "ties": replace(inputs, x=x[:1].expand_as(x).clone()),
        "zeros": replace(inputs, att_src=inputs.att_src * 0, att_dst=inputs.att_dst * 0),
        "tiny": replace(inputs, x=x * 2.0**-40),
        "huge": replace(inputs, x=x * 2.0**40),
        "wide": replace(inputs, x=x * torch.exp2(exponent)),
    }[extreme]
    oracle = gat_oracle(graph, inputs)
    bounds = gat_bounds(oracle)

    for name, layer in layers(graph, concat=True):
        for comparison in compare_answer(run_layer(layer, inputs), oracle, bounds):
            assert comparison.passed, (name, comparison.summary)


@pytest.mark.parametrize("degree", [4, 32, 128])
def test_each_lost_message_is_beyond(degree):
    """Of a hub's in-edges none can vanish unseen, however little attention it gets."""
    hub = torch.stack([torch.arange(1, degree + 1), torch.zeros(degree, dtype=torch.int64)])
    graph = Graph(hub, degree + 1)
    inputs = real_gat_inputs(degree + 1, 16, 4, heads=1, seed=degree)
    oracle = gat_oracle(graph, inputs)
    bound = oracle.bound("forward")[0]

    for lost in range(degree):
        keep = torch.arange(len(oracle.source)) != lost
        without = oracle.under(edges=(oracle.source[keep], oracle.target[keep]))
        difference = (without.values["forward"][0] - oracle.values["forward"][0]).abs()
        assert float((difference / bound).max()) > 1, lost


def test_tf32_is_beyond():
    """Features and weights rounded to 11 bits, forward and backward."""
    graph = power_law(200, 1500, seed=1, device="cpu")
    inputs = real_gat_inputs(200, 32, 4, heads=3)
    oracle = gat_oracle(graph, inputs)

    def straight(values):
        return values + (rounded(11)(values.detach()) - values.detach())

    layer = GatMutant("tf32", operands=straight).bind(graph, device=CPU, dtype=torch.float32)
    (forward, *_) = compare_answer(run_layer(layer, inputs), oracle, gat_bounds(oracle))
    assert forward.ratio > 5, forward.summary


def test_where_a_score_is_zero_either_slope_is_right():
    """The derivative of LeakyReLU jumps at 0, and rounding decides on which side a score is."""
    graph = Graph(torch.tensor([[0], [1]]), 2)
    inputs = GatInputs(
        x=torch.tensor([[1.0, 2.0], [2.0, -1.0]]),
        weight=torch.eye(2),
        att_src=torch.tensor([[2.0, -1.0]]),  # 0 for node 0, 5 for node 1
        att_dst=torch.tensor([[1.0, 2.0]]),  # 5 for node 0, 0 for node 1
        bias=None,
        upstream=torch.tensor([[1.0, 0.0], [1.0, -1.0]]),
    )
    oracle = gat_oracle(graph, inputs)
    bounds = gat_bounds(oracle)

    class OtherSide(torch.autograd.Function):
        @staticmethod
        def forward(ctx, scores):
            ctx.save_for_backward(scores)
            return torch.where(scores > 0, scores, 0.2 * scores)

        @staticmethod
        def backward(ctx, gradient):
            (scores,) = ctx.saved_tensors
            return torch.where(scores >= 0, gradient, 0.2 * gradient)

    def layer(x, weight, att_src, att_dst, bias):
        h = (x @ weight)[:, None]
        source, target = torch.tensor([0, 0, 1]), torch.tensor([1, 0, 1])
        scores = OtherSide.apply((h * att_src).sum(2)[source] + (h * att_dst).sum(2)[target])
        p = (scores - 5).exp()
        share = p / torch.zeros(2, 1).index_add(0, target, p)[target]
        return torch.zeros_like(h).index_add(0, target, share[:, :, None] * h[source]).flatten(1)

    assert float(oracle.values["da_src"].abs().max()) > 1e-3
    found = run_layer(layer, inputs)
    for comparison in compare_answer(found, oracle, bounds):
        assert comparison.passed, comparison.summary
    # The other slope gives another gradient: it passes because the bound says that it may.
    assert float((found["da_src"] - oracle.values["da_src"]).abs().max()) > 1e-3

    apart = replace(inputs, x=inputs.x + 0.25)
    oracle = gat_oracle(graph, apart)
    assert float(gat_bounds(oracle)["da_src"].max()) < 1e-4


def test_scores_that_float32_can_not_tell_apart_leave_shares_open():
    """With scores of 10^9 the bound lets any neighbour have all attention, and no more than that."""
    graph = next(probe.graph for probe in probe_graphs() if probe.name == "mixed")
    inputs = real_gat_inputs(graph.num_nodes, 6, 4, heads=3, scale=1e9)
    oracle = gat_oracle(graph, inputs)
    largest = (oracle.inputs.x.abs() @ oracle.inputs.weight.abs()).max()

    for bound in gat_bounds(oracle).values():
        assert torch.isfinite(bound).all()
    assert float(gat_bound(oracle, "forward").max()) < 6 * float(largest)


def test_a_score_that_may_be_anything_may_take_all_attention():
    """Node 0 has a score of 0 that is the difference of 10^9 and 10^9: its share is e^-800, or 1."""
    inputs = GatInputs(
        x=torch.tensor([[1e9, 1e9], [800.0, 0.0]]),
        weight=torch.tensor([[1.0], [-1.0]]),
        att_src=torch.ones(1, 1),
        att_dst=torch.zeros(1, 1),
        bias=None,
        upstream=torch.ones(2, 1),
    )
    oracle = gat_oracle(Graph(torch.tensor([[0], [1]]), 2), inputs)

    assert float(oracle.values["forward"][1, 0]) == 800
    assert float(gat_bound(oracle, "forward")[1, 0]) >= 800


@pytest.mark.parametrize("seed", range(6))
def test_a_maximum_that_is_differentiated_is_within(seed):
    """It adds the rounding errors of a whole hub to one leaf, which alone would have no room for them."""
    leaves = 2000
    hub = torch.stack([torch.arange(1, leaves + 1), torch.zeros(leaves, dtype=torch.int64)])
    graph = Graph(hub, leaves + 1)
    inputs = real_gat_inputs(leaves + 1, 1, 1, heads=1, scale=0.01, seed=seed)
    upstream = torch.zeros_like(inputs.upstream)
    upstream[0] = 1
    inputs = replace(inputs, x=inputs.x + 3, upstream=upstream)
    oracle = gat_oracle(graph, inputs)
    layer = GatMutant("maximum", maximum=highest).bind(graph, device=CPU, dtype=torch.float32)

    for comparison in compare_answer(run_layer(layer, inputs), oracle, gat_bounds(oracle)):
        assert comparison.passed, comparison.summary


def test_a_lone_nodes_share_is_exact():
    """It attends to itself alone, so however uncertain the score, the result is its h."""
    inputs = replace(real_gat_inputs(1, 5, 2, heads=2, scale=100.0), bias=None)
    oracle = gat_oracle(Graph(torch.zeros(2, 0, dtype=torch.int64), 1), inputs)
    h = oracle.inputs.x.abs() @ oracle.inputs.weight.abs()

    assert (gat_bound(oracle, "forward") <= 20 * 2.0**-24 * h).all()


def test_causes_are_named_only_where_the_numbers_fit():
    """A number too many at one node fits no known cause; an overflow is said to be one."""
    graph = next(probe.graph for probe in probe_graphs() if probe.name == "mixed")
    oracle = gat_oracle(graph, real_gat_inputs(graph.num_nodes, 4, 3, heads=2))
    got = oracle.values["forward"].clone()
    got[3, 1] += 1
    beyond = got != oracle.values["forward"]

    assert likely_cause("forward", got, beyond, oracle) == (
        "no known cause fits; all wrong entries are in node 3"
    )
    got[3, 1] = torch.nan
    assert "whose maximum was not subtracted" in likely_cause("forward", got, beyond, oracle)


def test_what_makes_no_sense_is_refused():
    """Shapes that do not fit, numbers that are none, names that are none."""
    inputs = real_gat_inputs(3, 4, 2, heads=2)
    graph = Graph(torch.tensor([[0], [1]]), 3)
    with pytest.raises(ValueError, match=r"weight: expected shape \[4, 2\], found \[4, 4\]"):
        replace(inputs, att_src=inputs.att_src[:1])
    with pytest.raises(ValueError, match=r"bias: expected shape \[2\], found \[4\]"):
        replace(inputs, concat=False)
    with pytest.raises(ValueError, match="expected a row for each of 2 nodes, found 3"):
        gat_oracle(Graph(torch.zeros(2, 0, dtype=torch.int64), 2), inputs)
    with pytest.raises(ValueError, match=r"att_dst\[0, 0\]: expected a finite number"):
        gat_oracle(graph, replace(inputs, att_dst=torch.full((2, 2), torch.nan)))
    with pytest.raises(ValueError, match="expected one of forward, dX, dW, da_src, da_dst, found 'db'"):
        gat_bound(gat_oracle(graph, replace(inputs, bias=None)), "db")


@pytest.fixture(scope="module", params=[True, False], ids=["concatenated", "averaged"])
def equal(request):
    """Equal shares on the multigraph, whose in-degrees are 1, 4, 16 and 64."""
    graph = next(probe.graph for probe in exact_probe_graphs() if probe.name == "exact_multigraph")
    return gat_oracle(graph, equal_gat_inputs(graph.num_nodes, concat=request.param))


def test_equal_shares_do_not_round(equal):
    """Every quantity is one that float32 holds, all sums fit, and every clean layer gives it bit for bit."""
    require_equal_shares(equal)
    assert max(gat_headroom(equal).values()) <= 1
    assert not bool(equal.values["da_dst"].any())
    # Of the constant channel too: what one edge of a node gains the others lose.
    assert (equal.values["da_src"] != 0).tolist() == [[False, True, True, True]] * 2
    for right in equal.values.values():
        assert torch.equal(right.float().double(), right)
    inputs = equal.inputs.to("cpu", torch.float32)
    for name, layer in layers(equal.graph, equal.inputs.concat):
        found = run_layer(layer, inputs)
        assert all(one.passed for one in compare_answer(found, equal, None)), name


def test_headroom_counts_bits(equal):
    """Operands 2^12 times as large need 2^12 times the room."""
    larger = equal.under(inputs=replace(equal.inputs, upstream=equal.inputs.upstream * 2**12))
    before, after = gat_headroom(equal), gat_headroom(larger)
    assert after["dW"] == pytest.approx(2**12 * before["dW"])
    assert after["dW"] > 1 > before["dW"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda i: replace(i, att_src=i.att_src + 1), "att_src: expected one positive score"),
        (lambda i: replace(i, att_src=-i.att_src), "att_src: expected one positive score"),
    ],
)
def test_other_scores_are_refused(equal, change, said):
    """Scores that differ, and scores below 0."""
    with pytest.raises(ValueError, match=said):
        require_equal_shares(equal.under(inputs=change(equal.inputs)))


def test_other_degrees_are_refused():
    """Two in-edges and the loop make thirds."""
    graph = Graph(torch.tensor([[0, 1], [2, 2]]), 3)
    with pytest.raises(ValueError, match="powers of 2"):
        require_equal_shares(gat_oracle(graph, equal_gat_inputs(3)))
