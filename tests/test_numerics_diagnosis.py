"""gnnbench.numerics.diagnosis: the likely cause is named where the numbers fit it, and nowhere else."""

import pytest
import torch
from mutants import Mutant, merged, one_entry, rounded, twice, without
from test_numerics_mutants import exact_case, in_bf16, real_case

from gnnbench.graphs import Graph
from gnnbench.numerics import compare, compare_exact, evaluate, gcn_bound, gcn_oracle, real_inputs


def join(*parts):
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def comparison(mutant, case, quantity="forward"):
    found = getattr(evaluate(mutant.bind(case.graph), case.inputs), quantity)
    if case.bounds is None:
        return compare_exact(quantity, found, case.oracle)
    return compare(quantity, found, case.oracle, case.bounds[quantity])


#: mutant, quantity, what its cause says, on the exact and on the real-valued graph.
CAUSES = {
    "bias": (Mutant(bias=lambda b: 0 * b), "forward", "the bias is not added"),
    "bias twice": (Mutant(bias=lambda b: 2 * b), "forward", "the bias is added twice"),
    "no loops": (Mutant(loops="none"), "forward", "self-loops are missing"),
    "no loops, dX": (Mutant(loops="none"), "dX", "self-loops are missing"),
    "no loops, dW": (Mutant(loops="none"), "dW", "self-loops are missing"),
    "transposed": (
        Mutant(edges=lambda s, t, w, n: (t, s, w)),
        "forward",
        "transposed: the edges are followed",
    ),
    "transposed backward": (
        Mutant(backward=lambda e: (e[1], e[0], e[2])),
        "dX",
        "Â in place of its transpose in the backward pass",
    ),
    "duplicates, loops too": (Mutant(edges=merged), "forward", "and so does a self-loop that is there"),
    "duplicates": (
        Mutant(edges=lambda s, t, w, n: join(merged(s[:-n], t[:-n], w[:-n], n), (s[-n:], t[-n:], w[-n:]))),
        "forward",
        "duplicate edges count once",
    ),
    "row-normalised": (Mutant(normalise=lambda s, t, w, d: w / d[t]), "forward", "row-normalised"),
    "column-normalised": (Mutant(normalise=lambda s, t, w, d: w / d[s]), "forward", "column-normalised"),
    "not normalised": (Mutant(normalise=lambda s, t, w, d: w), "forward", "not normalised"),
    "degree - 1": (Mutant(degree=lambda d: d - 1), "forward", "degrees are counted without the self-loop"),
    "degree + 1": (Mutant(degree=lambda d: d + 1), "forward", "degrees are one too large"),
    "scaled": (Mutant(finish=lambda out: 0.75 * out), "dX", "all entries are off by one factor, 0.75"),
    "zeros": (Mutant(finish=lambda out: 0 * out), "forward", "all entries are zero"),
    "bias only": (Mutant(normalised=lambda e: (e[0], e[1], 0 * e[2])), "forward", "only the bias is there"),
    "rows moved": (
        Mutant(finish=lambda o: o[torch.arange(len(o)).index_fill(0, torch.tensor([3]), 4)]),
        "forward",
        "displaced: node 3 holds what belongs to node 4",
    ),
    "channels moved": (
        Mutant(finish=lambda o: o[:, [1, 0, *range(2, 8)]]),
        "forward",
        "displaced: channel 0 holds what belongs to channel 1, and 1 more likewise",
    ),
    "bit flip": (
        Mutant(finish=one_entry(lambda v: (v.view(torch.int32) ^ (1 << 21)).view(torch.float32), (33, 5))),
        "forward",
        "a single bit flipped: bit 21 (fraction)",
    ),
    "sign": (Mutant(finish=one_entry(lambda v: -v, (33, 5))), "forward", "bit 31 (sign)"),
    "dW lacks a node": (
        Mutant(weight_input=lambda x: torch.cat([x[:3], torch.zeros_like(x[3:4]), x[4:]])),
        "dW",
        "the sum over the nodes lacks node 3",
    ),
    "last rows": (
        Mutant(
            finish=lambda o: torch.cat([o[:20], o[20:] + torch.rand(len(o) - 20, 8, generator=_seeded())])
        ),
        "forward",
        "no known cause fits; every node from 20 on is wrong and none before",
    ),
    "one channel": (
        Mutant(
            finish=lambda o: torch.cat(
                [o[:, :5], o[:, 5:6] + torch.rand(len(o), 1, generator=_seeded()), o[:, 6:]], 1
            )
        ),
        "forward",
        "no known cause fits; all wrong entries are in channel 5",
    ),
    "NaN": (
        Mutant(finish=one_entry(lambda v: v * torch.nan, (33, 5))),
        "forward",
        "nan at 1 entries, first at node 33",
    ),
}


def _seeded():
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("name", CAUSES)
@pytest.mark.parametrize("case", [exact_case, real_case])
def test_cause(name, case):
    """The fault that was planted is the one that is named."""
    mutant, quantity, cause = CAUSES[name]
    found = comparison(mutant, case(), quantity)

    assert not found.passed
    assert cause in found.cause


@pytest.mark.parametrize("quantity", ["forward", "dX", "dW"])
def test_one_edge_the_wrong_way_round_is_transposed(quantity):
    """On the smallest graph that shows it, where the rows stand in each other's place too."""
    graph = Graph(torch.tensor([[0], [1]]), 2)
    given = real_inputs(2, 3, 3, bias=False)
    oracle = gcn_oracle(graph, given.x, given.weight, given.bias, given.upstream)
    found = evaluate(Mutant(edges=lambda s, t, w, n: (t, s, w)).bind(graph), given)

    cause = compare(quantity, getattr(found, quantity), oracle).cause

    assert cause.startswith("transposed: the edges are followed from target to source")


def test_ones_on_one_edge_the_wrong_way_round_are_transposed():
    """As a search for the smallest graph leaves them: the second row is the first of the right result."""
    graph, ones = Graph(torch.tensor([[0], [1]]), 2), torch.ones(2, 1)
    oracle = gcn_oracle(graph, ones, torch.ones(1, 1), None, ones)

    assert compare("forward", oracle.forward.float().flip(0), oracle).cause.startswith(
        "transposed: the edges"
    )


@pytest.mark.parametrize(("plant", "word"), [(without, "dropped"), (twice, "doubled")])
@pytest.mark.parametrize("case", [exact_case, real_case])
def test_one_message_is_traced_to_its_edge(plant, word, case):
    """Forward the row is the target, backward the source; the edge is the same."""
    graph = case().graph
    edge = next(e for e in range(17, graph.num_edges) if int(graph.source[e]) != int(graph.target[e]))
    name = f"a {word} edge {int(graph.source[edge])} -> {int(graph.target[edge])}"

    forward = comparison(Mutant(normalised=plant(edge)), case(), "forward")
    backward = comparison(Mutant(backward=plant(edge)), case(), "dX")

    assert forward.cause == f"the row differs by exactly one neighbour's message: {name}"
    assert backward.cause == f"the row differs by exactly one neighbour's message: {name}"


def test_a_lost_loop_is_traced_to_its_node():
    """The last entry of Â is the last node's own loop."""
    case = exact_case()
    found = comparison(Mutant(normalised=without(-1)), case)
    assert found.passed, "without(-1) drops nothing"

    last = case.oracle.adjacency.value.numel() - 1
    found = comparison(Mutant(normalised=without(last)), case)
    assert found.cause == "the row differs by exactly its own message: a dropped self-loop of node 1099"


def test_a_lost_row_of_db():
    """Where one row of G alone accounts for it, its node is named."""
    case = real_case()
    wrong = case.oracle.db.float() - case.inputs.upstream[5]

    assert "the sum over the nodes lacks" in compare("db", wrong, case.oracle).cause


def test_bf16_degrees_are_told():
    """Only a hub past 256 shows them (F14)."""
    assert "degrees stop growing at 256" in comparison(Mutant(degree=in_bf16), exact_case()).cause


@pytest.mark.parametrize(("bits", "cause"), [(11, "TF32 or float16"), (8, "bfloat16")])
def test_rounded_operands_are_told(bits, cause):
    """To nearest even here, ties away in the mutant: the few ties are within the bound."""
    case = real_case()
    found = comparison(Mutant(operands=rounded(bits)), case)

    assert f"rounded to {bits} significant bits" in found.cause
    assert cause in found.cause


def test_ignored_weights_are_told():
    """Where there are weights at all."""
    mutant = Mutant(edges=lambda s, t, w, n: (s, t, torch.ones_like(w)))

    assert "edge weights are ignored" in comparison(mutant, real_case()).cause


@pytest.mark.parametrize(
    ("asked", "given", "cause"),
    [
        ("add", "add_remaining", "none is added (add_remaining in place of A + I)"),
        ("add_remaining", "add", "a self-loop is added to nodes that had one"),
    ],
)
def test_the_other_convention_of_loops_is_told(asked, given, cause):
    """F18: PyG's own paths differ in just this."""
    case = real_case()
    i = case.inputs
    oracle = gcn_oracle(case.graph, i.x, i.weight, i.bias, i.upstream, self_loops=asked)
    found = evaluate(Mutant().bind(case.graph, self_loops=given), i)

    assert cause in compare("forward", found.forward, oracle).cause


def test_nodes_without_in_edges_that_are_nan_are_told():
    """The mark of a division by a degree of 0."""
    graph = Graph(torch.tensor([[0, 1, 3], [1, 0, 1]]), 4)
    i = real_inputs(4, 4, 3)
    oracle = gcn_oracle(graph, i.x, i.weight, i.bias, i.upstream)
    got = oracle.forward.float()
    got[2:] = torch.nan

    assert compare("forward", got, oracle).cause == (
        "nan at 6 entries, first at node 2, channel 0: exactly the nodes without in-edges; "
        "a division by a degree of 0"
    )


@pytest.mark.parametrize("quantity", ["forward", "dX", "dW", "db"])
@pytest.mark.parametrize("case", [exact_case, real_case])
@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_cause(quantity, case, seed):
    """What fits nothing is called nothing."""
    oracle = case().oracle
    right = oracle.of(quantity).float()
    noise = torch.randn(right.shape, generator=torch.Generator().manual_seed(seed)) * right.abs().mean()

    cause = compare(quantity, right + noise, oracle).cause

    assert not cause or cause.startswith("no known cause fits")


def slightly_wrong(rows):
    """A result little beyond its bound, on a graph of weights 1, and 0 into node 7."""
    graph = real_case().graph
    weight = torch.ones(graph.num_edges)
    weight[graph.target == 7] = 0
    graph = Graph(graph.edge_index, graph.num_nodes, weight)
    i = real_inputs(graph.num_nodes)
    oracle = gcn_oracle(graph, i.x, i.weight, i.bias, i.upstream)
    got = oracle.forward.clone()
    signs = torch.randint(0, 2, got.shape, generator=_seeded()) * 2 - 1
    got[rows] += (1.5 * gcn_bound(oracle, "forward") * signs)[rows]
    return compare("forward", got, oracle, dtype=torch.float64)


@pytest.mark.parametrize("rows", [[7], [7, 9, 30], slice(None)], ids=["one", "few", "all"])
def test_no_structure_is_blamed_for_little(rows):
    """Half again the bound is wrong, but no edge of weight 0 explains it, nor what changes nothing here."""
    found = slightly_wrong(rows)

    assert not found.passed
    assert not found.cause or found.cause.startswith("no known cause fits")


def test_no_bit_is_blamed_for_little():
    """Some bit is always near an error that small."""
    case = real_case()
    right, bound = case.oracle.forward, case.bounds["forward"]
    for node in range(20):
        got = right.clone()
        got[node, 0] += 1.5 * bound[node, 0]
        assert "bit" not in compare("forward", got, case.oracle, dtype=torch.float64).cause


def test_last_bits_of_an_exact_probe_are_called_rounding():
    """Within float32's bound but not equal: no fault of structure is blamed."""
    case = exact_case()
    got = case.oracle.forward.float()
    got = torch.nextafter(got, torch.full_like(got, torch.inf))

    assert compare_exact("forward", got, case.oracle).cause.startswith(
        "within what rounding in float32 explains"
    )
