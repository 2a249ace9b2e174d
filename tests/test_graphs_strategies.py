"""gnnbench.graphs.random_graphs and strategies: every kind of graph is drawn, and failures become small."""

import subprocess
import sys
from collections import Counter

import pytest
import torch
from hypothesis import errors
from mutants import Mutant, merged
from random_backends import once

from gnnbench.graphs import Graph, RandomChoices, describe_graph, random_graph
from gnnbench.graphs.strategies import drawn, graphs, simplest_failure
from gnnbench.numerics import QUANTITIES, compare, evaluate, gcn_oracle, random_layer


def traits(graph):
    """What is worth having in a random graph."""
    source, target = graph.edge_index
    heard = torch.bincount(target, minlength=1)
    spoken = torch.bincount(source, minlength=1)
    return {
        "no node": graph.num_nodes == 0,
        "one node": graph.num_nodes == 1,
        "tens of nodes": 10 <= graph.num_nodes < 100,
        "hundreds of nodes": graph.num_nodes >= 100,
        "no edge, several nodes": graph.num_edges == 0 and graph.num_nodes > 1,
        "directed": graph.is_directed,
        "weighted": graph.is_weighted,
        "unweighted": not graph.is_weighted,
        "zero weight": graph.is_weighted and bool((graph.edge_weight == 0).any()),
        "own loops of few": graph.has_self_loops and graph.num_edges < 40,
        "duplicates of few": graph.has_duplicate_edges and graph.num_edges < 40,
        "isolated last node": graph.num_nodes > 0 and graph.num_nodes - 1 not in graph.edge_index,
        "isolated node inside": bool(((heard == 0)[: len(spoken)] & (spoken == 0)[: len(heard)])[:-1].any())
        if len(heard) == len(spoken)
        else False,
        "in-hub of 257": int(heard.max()) >= 257,
        "out-hub of 257": int(spoken.max()) >= 257,
        "not sorted": graph.num_edges > 1 and bool((target.diff() < 0).any()),
    }


@pytest.mark.parametrize("source", ["seed", "hypothesis"])
def test_every_kind_of_graph_is_drawn(source):
    """By both who choose, each kind in at least four of 1,000."""
    seen = Counter()

    def note(graph):
        seen.update(name for name, found in traits(graph).items() if found)
        return True

    if source == "seed":
        for seed in range(1000):
            note(random_graph(RandomChoices(seed)))
    else:
        assert simplest_failure(graphs(), note, examples=1000) is None

    rare = {name: seen[name] for name in traits(random_graph(RandomChoices(0))) if seen[name] < 4}
    assert not rare


def test_operands_are_of_every_kind():
    """Wide and narrow, with and without bias, ones, real and mostly zero, every convention of self-loops."""
    layers = [random_layer(RandomChoices(seed)) for seed in range(300)]
    shapes = [tuple(layer.inputs.weight.shape) for layer in layers]

    assert {1, 40} <= {min(shape) for shape in shapes} | {max(shape) for shape in shapes}
    assert any(f < c for f, c in shapes)
    assert any(f > c for f, c in shapes)
    assert {layer.self_loops for layer in layers} == {"add", "add_remaining", "none"}
    assert {layer.inputs.bias is None for layer in layers} == {True, False}
    assert any(bool((layer.inputs.x == 0).any()) for layer in layers)
    ones = [layer for layer in layers if layer.inputs.x.numel() and bool((layer.inputs.x == 1).all())]
    # Equal numbers round alike; with few of them the bound is certain all the same.
    assert ones
    assert all(layer.graph.num_nodes + layer.graph.num_edges <= 64 for layer in ones)


def test_widths_can_be_told():
    """For backends that compile a program for each."""
    shapes = {tuple(random_layer(RandomChoices(n), ((3, 8), (8, 3))).inputs.weight.shape) for n in range(20)}

    assert shapes == {(3, 8), (8, 3)}


def simplest(backend, examples=200):
    """The smallest layer on which `backend` is beyond its bound, and what was wrong there."""
    failures = []

    def attempt(layer):
        inputs = layer.inputs
        oracle = gcn_oracle(
            layer.graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream, self_loops=layer.self_loops
        )
        found = evaluate(backend.bind(layer.graph, self_loops=layer.self_loops), inputs)
        wrong = [
            name
            for name in QUANTITIES
            if getattr(oracle, name) is not None and not compare(name, getattr(found, name), oracle).passed
        ]
        if wrong:
            failures.append((layer, wrong))
            raise AssertionError
        return True

    assert isinstance(simplest_failure(drawn(random_layer), attempt, examples=examples), AssertionError)
    return failures[-1]


def stops_at_256(degree):
    """Counts only: a sum of weights may lie beside 256 by an ulp."""
    return torch.where(degree == degree.round(), degree.clamp(max=256), degree)


@pytest.mark.parametrize(
    ("backend", "num_nodes", "edges", "weights"),
    [
        (Mutant(edges=once), 2, [(0, 1), (0, 1)], None),
        (
            Mutant(edges=lambda s, t, w, n: merged(s, t, w, n) if s.numel() else (s, t, w)),
            2,
            [(0, 1), (0, 1)],
            None,
        ),
        (Mutant(loops="none"), 1, [], None),
        (Mutant(edges=lambda s, t, w, n: (t, s, w)), 2, [(0, 1)], None),
        (Mutant(backward=lambda e: (e[1], e[0], e[2])), 2, [(0, 1)], None),
        (Mutant(edges=lambda s, t, w, n: (s, t, torch.ones_like(w))), 2, [(0, 1), (0, 1)], [1, 0]),
    ],
    ids=["lost duplicate", "merged", "no loops", "transposed", "transposed backward", "weights dropped"],
)
def test_a_planted_fault_shrinks_to_a_minimal_graph(backend, num_nodes, edges, weights):
    """As few nodes and edges as show the fault, weights of 1 or none, one feature and one channel, all ones."""
    layer, _ = simplest(backend)

    assert layer.graph.num_nodes <= num_nodes
    assert layer.graph.edge_index.T.tolist() == [list(edge) for edge in edges]
    assert (None if layer.graph.edge_weight is None else layer.graph.edge_weight.tolist()) == weights
    assert tuple(layer.inputs.weight.shape) == (1, 1)
    assert layer.inputs.bias is None
    assert all(bool((operand == 1).all()) for operand in (layer.inputs.x, layer.inputs.weight))


def test_a_fault_of_hubs_shrinks_to_the_smallest_hub():
    """A counter that stops at 256 shows from 256 edges and a self-loop on."""
    layer, _ = simplest(Mutant(degree=stops_at_256), examples=1000)

    assert int(layer.graph.in_degree().max()) == 256
    assert layer.graph.num_edges == 256
    assert not layer.graph.is_weighted


def test_the_same_graphs_in_every_process_and_nothing_on_disk(tmp_path):
    """Whatever modules are loaded: numbers in their source have no say."""
    program = (
        "import sys\n"
        "from gnnbench.graphs.strategies import graphs, simplest_failure\n"
        "def told(graph):\n"
        "    print(graph.num_nodes, graph.edge_index.tolist())\n"
        "    return True\n"
        "if sys.argv[1] == 'more':\n    import own_numbers\n"
        "assert simplest_failure(graphs(), told, examples=60) is None\n"
    )
    (tmp_path / "own_numbers.py").write_text("\n".join(f"x{i} = {i}" for i in range(120, 400)))
    answers = [
        subprocess.run(
            [sys.executable, "-c", program, word], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for word in ("none", "more")
    ]

    assert answers[0] == answers[1]
    assert answers[0].count("\n") >= 60
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["own_numbers.py"]


def test_what_cannot_be_judged_does_not_count():
    """As many as were asked for are judged all the same; where nothing can be, that is no failure."""
    judged = []

    def only_weighted(graph):
        if graph.is_weighted:
            judged.append(graph)
        return graph.is_weighted

    assert simplest_failure(graphs(), only_weighted, examples=30) is None
    assert len(judged) == 30
    assert simplest_failure(graphs(), lambda graph: False, examples=5) is None


def test_what_fails_once_only_is_told_as_such():
    """Flaky, as Hypothesis has it."""
    calls = []

    def third(graph):
        calls.append(graph)
        assert len(calls) != 3
        return True

    assert isinstance(simplest_failure(graphs(), third, examples=30), errors.Flaky)


def test_a_graph_in_a_few_words():
    """Sizes, traits, and the edges where they are few."""
    pair = torch.tensor([[0, 0], [1, 1]])

    assert describe_graph(Graph(pair, 2)) == "2 nodes, 2 edges (0→1, 0→1; unweighted; duplicates)"
    assert describe_graph(Graph(pair[:, :0], 1)) == "1 node, 0 edges"
    assert (
        describe_graph(Graph(torch.zeros(2, 1200, dtype=torch.int64), 1, torch.ones(1200)))
        == "1 node, 1,200 edges (weighted; self-loops; duplicates)"
    )
