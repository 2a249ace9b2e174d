"""gnnbench.numerics: comparisons say what is wrong, and nothing that is no number ever passes."""

import math

import pytest
import torch

from gnnbench.graphs import Graph
from gnnbench.numerics import (
    QUANTITIES,
    compare,
    compare_exact,
    compare_precision,
    evaluate,
    exact_headroom,
    exact_inputs,
    gcn_bound,
    gcn_oracle,
    real_inputs,
    require_exact,
)

#: In-degrees of 3, so 4 with the loop.
RING = Graph(
    torch.stack([torch.cat([(torch.arange(12) + k) % 12 for k in (1, 2, 5)]), torch.arange(12).repeat(3)]), 12
)


@pytest.fixture(scope="module")
def oracle():
    inputs = exact_inputs(12)
    return gcn_oracle(RING, inputs.x, inputs.weight, inputs.bias, inputs.upstream)


RULES = {"exact": compare_exact, "componentwise": compare, "precision class": compare_precision}


@pytest.fixture(params=RULES)
def rule(request):
    return RULES[request.param]


def test_the_right_answer_passes(oracle, rule):
    """All rules accept the oracle itself, rounded to float32."""
    for quantity in QUANTITIES:
        comparison = rule(quantity, oracle.of(quantity).float(), oracle)

        assert comparison.passed
        assert comparison.error == 0
        assert comparison.cause == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_what_is_no_finite_number_never_passes(oracle, rule, quantity, value):
    """One NaN or infinity fails any quantity under any rule, with a ratio that can be ordered."""
    got = oracle.of(quantity).float()
    got.view(-1)[-1] = value
    comparison = rule(quantity, got, oracle)

    assert not comparison.passed
    assert comparison.ratio == math.inf


def test_all_nan_is_all_beyond(oracle):
    """Every entry counts, and the first is shown."""
    comparison = compare("forward", torch.full((12, 8), math.nan), oracle)

    assert comparison.beyond == comparison.total == 96
    assert comparison.index == (0, 0)
    assert comparison.got == "nan"


@pytest.mark.parametrize(
    ("spoil", "found", "cause"),
    [
        (lambda right: None, "none: it does not depend on this operand", ""),
        (lambda right: right.tolist(), "an object of type list", ""),
        (lambda right: right.to_sparse(), "a tensor of layout torch.sparse_coo", ""),
        (lambda right: right.T, "shape [8, 12]", "the result is transposed"),
        (lambda right: right[:-1], "shape [11, 8]", ""),
        (lambda right: right[None], "shape [1, 12, 8]", ""),
        (lambda right: right.double(), "torch.float64", ""),
        (lambda right: right.bfloat16(), "torch.bfloat16", ""),
        (lambda right: right.to("meta"), "a tensor on meta", ""),
    ],
    ids=["none", "list", "sparse", "transposed", "short", "deep", "float64", "bfloat16", "device"],
)
def test_wrong_form_fails(oracle, rule, spoil, found, cause):
    """Shape, dtype, device, layout and type are part of the answer."""
    comparison = rule("forward", spoil(oracle.forward.float()), oracle)

    assert comparison.rule == "form"
    assert not comparison.passed
    assert comparison.got.startswith(found)
    assert comparison.expected == "a dense torch.float32 tensor of shape [12, 8] on cpu"
    assert comparison.cause == cause
    assert "expected a dense" in comparison.summary


def test_the_worst_entry_is_named(oracle):
    """Of several wrong entries the one furthest beyond its own bound, not the one with the largest error."""
    bound = torch.full((12, 8), 1e-3, dtype=torch.float64)
    bound[2, 1] = 10.0
    got = oracle.forward.float()
    got[2, 1] += 20.0
    got[9, 4] += 0.5
    comparison = compare("forward", got, oracle, bound)

    assert comparison.index == (9, 4)
    assert comparison.where == "node 9, channel 4"
    assert comparison.error == pytest.approx(0.5)
    assert comparison.bound == 1e-3
    assert comparison.ratio == pytest.approx(500)
    assert (comparison.beyond, comparison.total) == (2, 96)
    assert float(comparison.got) - float(comparison.expected) == pytest.approx(0.5)
    assert comparison.summary.startswith(
        "forward: 2 of 96 entries are wrong; worst at node 9, channel 4: expected"
    )


def test_the_worst_of_many_unequal_entries_is_the_largest_error(oracle):
    """Where equality was due every ratio is infinite; the largest error is shown."""
    got = oracle.forward.float()
    got[1, 1] += 0.25
    got[5, 2] -= 3.0
    comparison = compare_exact("forward", got, oracle)

    assert comparison.where == "node 5, channel 2"
    assert (comparison.error, comparison.bound, comparison.ratio) == (3.0, 0.0, math.inf)
    assert comparison.beyond == 2


@pytest.mark.parametrize(
    ("quantity", "where"),
    [("dX", "node 0, feature 0"), ("dW", "feature 0, channel 0"), ("db", "channel 0")],
)
def test_entries_have_the_words_of_their_quantity(oracle, quantity, where):
    """Axes are called by what they count."""
    got = oracle.of(quantity).float()
    got.view(-1)[0] += 100

    assert compare_exact(quantity, got, oracle).where == where


def test_numbers_are_shown_to_the_last_bit(oracle):
    """Neighbouring float32 numbers read differently."""
    got = oracle.forward.float()
    got[0, 0] = torch.nextafter(got[0, 0], torch.tensor(math.inf))
    comparison = compare_exact("forward", got, oracle)

    assert comparison.expected != comparison.got


def test_the_sign_of_zero_is_no_difference():
    """It depends on the order of a sum."""
    inputs = exact_inputs(3, bias=False)
    inputs.x[2] = 0
    alone = Graph(torch.zeros(2, 0, dtype=torch.int64), 3)
    oracle = gcn_oracle(alone, inputs.x, inputs.weight, None, inputs.upstream)
    got = oracle.forward.float()
    got[2] = -0.0

    assert compare_exact("forward", got, oracle).passed


def test_an_empty_graph_has_nothing_to_compare():
    """No node, no entry, no failure."""
    inputs = real_inputs(0, 4, 2)
    oracle = gcn_oracle(
        Graph(torch.zeros(2, 0, dtype=torch.int64), 0), inputs.x, inputs.weight, inputs.bias, inputs.upstream
    )
    comparison = compare("forward", torch.zeros(0, 2), oracle)

    assert comparison.passed
    assert comparison.summary == "forward: nothing to compare"
    assert compare("dW", torch.zeros(4, 2), oracle).passed


@pytest.mark.parametrize(
    "bound",
    [
        torch.full((12, 8), math.nan),
        torch.full((12, 8), math.inf),
        torch.full((12, 8), -1.0),
        torch.zeros(12, 1),
    ],
    ids=["nan", "infinite", "negative", "shape"],
)
def test_a_bound_that_would_pass_anything_is_refused(oracle, bound):
    """A bound must be finite, not negative, and an entry's own."""
    with pytest.raises(ValueError, match="bound: expected finite numbers"):
        compare("forward", oracle.forward.float(), oracle, bound)


def test_the_default_bound_is_float32s(oracle):
    """Left out, it is `gcn_bound(oracle, name)`."""
    got = oracle.forward.float()
    got[0, 0] += 1.0

    assert compare("forward", got, oracle) == compare("forward", got, oracle, gcn_bound(oracle, "forward"))


def test_other_dtypes_and_devices_can_be_asked_for(oracle):
    """float64 where float64 was asked for; a device with an index matches only that index."""
    assert compare_exact("forward", oracle.forward, oracle, dtype=torch.float64).passed
    assert not compare_exact("forward", oracle.forward.float(), oracle, device="cuda").passed


def test_a_layer_without_bias_has_no_db():
    """Asking for it is a mistake of the caller, not of the backend."""
    inputs = exact_inputs(12, bias=False)
    oracle = gcn_oracle(RING, inputs.x, inputs.weight, None, inputs.upstream)

    for compare_by in RULES.values():
        with pytest.raises(ValueError, match="db: the layer has no bias"):
            compare_by("db", torch.zeros(8), oracle)


def test_results_without_gradients_have_none():
    """Detached, of the wrong shape, no tensor at all: forward is kept, gradients are None."""
    inputs = real_inputs(12)
    for layer in (
        lambda x, w, b: (x @ w + b).detach(),
        lambda x, w, b: (x @ w + b)[:3],
        lambda x, w, b: "done",
    ):
        found = evaluate(layer, inputs)

        assert found.forward is not None
        assert found.dX is found.dW is found.db is None


def test_an_operand_that_plays_no_part_has_no_gradient():
    """A layer that forgets the bias has no db, and the others all the same."""
    found = evaluate(lambda x, w, b: x @ w, real_inputs(12))

    assert found.db is None
    assert found.dX is not None


def test_probes_that_could_round_are_refused():
    """Degrees that are no powers of 4, or numbers too fine: the message says by how much."""
    odd = Graph(torch.tensor([[0], [1]]), 2)
    inputs = exact_inputs(2)
    with pytest.raises(ValueError, match="forward: expected partial sums that float32 holds exactly"):
        require_exact(gcn_oracle(odd, inputs.x, inputs.weight, inputs.bias, inputs.upstream))

    inputs = exact_inputs(12)
    with pytest.raises(ValueError, match="times its significand"):
        require_exact(gcn_oracle(RING, inputs.x + 2.0**-21, inputs.weight, inputs.bias, inputs.upstream))


def test_headroom_by_hand():
    """Two nodes without edges: x = 3, w = 2.5, b = 1, G = 1. Multiples of 1/2, up to 8.5: 17 of 2^24."""
    x, one = torch.tensor([[3.0], [3.0]]), torch.ones(2, 1)
    oracle = gcn_oracle(
        Graph(torch.zeros(2, 0, dtype=torch.int64), 2), x, torch.tensor([[2.5]]), torch.ones(1), one
    )
    units = {quantity: share * 2**24 for quantity, share in exact_headroom(oracle).items()}

    # dX: 2.5 in halves; dW: 3 + 3 in units of 1, the grid of x = 3; db: 1 + 1.
    assert units == {"forward": 17, "dX": 5, "dW": 6, "db": 2}


def test_headroom_of_unequal_rows():
    """Node 0 hears 1, 2, 3: degrees 4, 1, 1, 1. All operands 1; sums in the units of their finest term."""
    graph = Graph(torch.tensor([[1, 2, 3], [0, 0, 0]]), 4)
    one = torch.ones(4, 1)
    units = {
        quantity: share * 2**24
        for quantity, share in exact_headroom(gcn_oracle(graph, one, one[:1], None, one)).items()
    }

    # Row 0 of Â is 1/4, 1/2, 1/2, 1/2; of its transpose 1/4, and each other row 1/2, 1.
    assert units == {"forward": 7, "dX": 3, "dW": 4 * (1 / 4 + 3 * 3 / 2)}


@pytest.mark.parametrize(("bias", "exact"), [(1.0, True), (2.0, False)])
def test_the_last_sum_that_float32_holds(bias, exact):
    """2^24 - 1 + 1 is exact, 2^24 - 1 + 2 is not."""
    x, one = torch.tensor([[2.0**24 - 1]]), torch.ones(1, 1)
    alone = Graph(torch.zeros(2, 0, dtype=torch.int64), 1)
    oracle = gcn_oracle(alone, x, one, torch.tensor([bias]), one)

    assert compare_exact("forward", x + bias, oracle).passed is exact
    if exact:
        require_exact(oracle)
    else:
        with pytest.raises(ValueError, match="forward"):
            require_exact(oracle)


def test_exact_inputs_hide_no_edge():
    """Whole numbers; no row of XW, and none of GWᵀ, is zero, whatever the seed."""
    for seed in range(40):
        # One feature and two channels: without care, half of all GWᵀ would be zero wherever W is (a, ±a).
        inputs = exact_inputs(300, 1 + seed % 2, 2, seed=seed)

        assert (inputs.x @ inputs.weight).any(dim=1).all()
        assert (inputs.upstream @ inputs.weight.T).any(dim=1).all()
        assert inputs.x.abs().max() <= 4
        assert inputs.weight.abs().max() <= 2
        assert inputs.bias.all()
        assert all(torch.equal(t, t.round()) for t in (inputs.x, inputs.weight, inputs.bias))
        assert set(inputs.upstream.unique().tolist()) == {-1.0, 1.0}


def test_inputs_repeat():
    """The same seed gives the same operands, another seed others."""
    for make in (exact_inputs, real_inputs):
        assert torch.equal(make(9, seed=4).x, make(9, seed=4).x)
        assert not torch.equal(make(9, seed=4).x, make(9, seed=5).x)
