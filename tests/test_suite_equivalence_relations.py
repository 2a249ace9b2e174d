"""suites/equivalence, algebra, relations and shapes: each way to be wrong turns the checks red that are meant for it."""

import os
import re
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from suite_runs import run_suite

from gnnbench.graphs import exact_probe_graphs
from gnnbench.numerics import QUANTITIES
from gnnbench.record import ExitCode, Outcome
from suites.equivalence import test_algebra, test_relations, test_shapes
from suites.equivalence.cases import exact_case, make_case

#: The checks of the three files.
EVERYTHING = {
    "relations/batch",
    "relations/edge_order",
    "relations/edge_storage",
    "shapes/empty",
    "relations/gradient_through_views",
    "algebra/linearity",
    "relations/node_order",
    "algebra/scaling",
    "relations/transposition",
    "algebra/weight_scaling",
    "shapes/node_counts",
    "shapes/views",
    "shapes/widths",
}

#: backend → (checks that must be red, what each of them must say, checks that must be green)
RED = {
    "r_last_row": {"relations/node_order": "hubs last", "shapes/node_counts": "4 nodes"},
    "r_beyond_256": {
        "shapes/node_counts": "wrong for 257 nodes, 511 nodes, 512 nodes, 513 nodes, 1023 nodes"
    },
    "r_odd_width": {"shapes/widths": "5 to 5"},
    "r_assumes_sorted": {"relations/edge_order": "edges reversed", "relations/node_order": "nodes reversed"},
    "r_sorted_wrong": {"relations/edge_order": "edges sorted by target, edges sorted by target, then source"},
    "r_connected": {"relations/batch": "one graph, connected"},
    "r_stride_0": {"shapes/views": "x one_row, x one_number"},
    "r_two_strides": {"shapes/views": "x every_other"},
    "r_transposed_backward": {"relations/transposition": "backward"},
    "r_half": {"algebra/scaling": "x and b times 2^-60"},
    "r_epsilon": {"algebra/weight_scaling": "edge weights times 4^-15"},
    "r_edge_storage": {"relations/edge_storage": "edge_index as the transpose of [E, 2]"},
    "r_no_empty": {"shapes/empty": "no nodes"},
    "r_forgets_bias": {"algebra/linearity": "x = 0"},
    "r_last_hub": {"relations/node_order": "hubs last"},
    "r_leaf": {"relations/gradient_through_views": "a window"},
}

#: Mutants that are wrong in nothing but what their check is there for.
ALONE = {
    "r_odd_width": {"shapes/widths"},
    "r_sorted_wrong": {"relations/edge_order"},
    "r_edge_storage": {"relations/edge_storage"},
    "r_forgets_bias": {"algebra/linearity", "shapes/empty"},  # without features x is 0 too
    "r_epsilon": {"algebra/weight_scaling"},
    "r_no_empty": {"shapes/empty"},
    "r_two_strides": {"shapes/views"},
    "r_beyond_256": {"shapes/node_counts", "relations/batch"},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """backend → check → result, of one run over all mutants."""
    here = Path(__file__).parent
    folder = tmp_path_factory.mktemp("relations")
    paths = os.pathsep.join([str(folder), str(here), os.environ.get("PYTHONPATH", "")])
    _, run = run_suite(
        folder,
        "equivalence",
        *(
            "-p",
            "relation_backends",
            "-k",
            "r_ and not cudagraph and not wide and not row_lengths and (test_algebra or test_relations or test_shapes)",
            "--tb=no",
        ),
        "--gnnbench-tier=standard",
        environment={"PYTHONPATH": paths},
    )
    found = defaultdict(dict)
    for result in run.results:
        name, backend = re.fullmatch(r"equivalence/(\w+/\w+)\[(r_\w+)-cpu\]", result.id).groups()
        found[backend][name] = result
    return found


def test_the_clean_twin_is_green(results):
    """Every check passes, with a margin of nothing at all."""
    assert set(results["r_clean"]) == EVERYTHING
    for result in results["r_clean"].values():
        assert result.outcome is Outcome.PASSED, result.finding
        assert {(margin.error, margin.bound) for margin in result.margins} <= {(0, 0)}
        assert len(result.facts["variants"]) >= 3
    assert len(results) == len(RED) + 1


@pytest.mark.parametrize("backend", RED)
def test_each_mutant_is_caught_by_the_check_meant_for_it(results, backend):
    """And the finding names the variants that are wrong first."""
    for name, wrong in RED[backend].items():
        result = results[backend][name]
        assert result.outcome is Outcome.FAILED, name
        summary = result.finding.summary
        assert wrong in summary, summary
    if backend in ALONE:
        red = {name for name, result in results[backend].items() if result.outcome is Outcome.FAILED}
        assert red <= ALONE[backend]


def test_a_failure_says_what_is_right_too(results):
    """Wrong for odd widths and right for even ones is the diagnosis."""
    finding = results["r_odd_width"]["shapes/widths"].finding
    assert "right for 1 to 1" in finding.found
    wrong = results["r_odd_width"]["shapes/widths"].facts["wrong_variants"]
    assert wrong
    assert all(int(label.split()[-1]) % 2 == 1 for label in wrong)
    assert results["r_transposed_backward"]["relations/transposition"].facts["wrong_variants"] == [
        "backward",
        "backward on the reversed graph",
        "backward against forward on the reversed graph",
    ]


def same(one, other):
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in QUANTITIES)


def test_the_oracle_obeys_the_order_of_edges():
    """So that a layer that equals the oracle of each variant obeys the relation."""
    case = exact_case("exact_weighted")
    graphs = test_relations.edge_orders(case.graph) | test_relations.edge_storages(case.graph)
    for graph in graphs.values():
        assert same(make_case(graph, case.inputs, exact=True).oracle, case.oracle)


def test_the_oracle_obeys_the_order_of_nodes():
    """Rows move with their nodes; dW and db stay."""
    case = exact_case("exact_weighted")
    order = torch.randperm(case.graph.num_nodes, generator=torch.Generator().manual_seed(0))
    moved = test_relations.relabelled(case, order).oracle
    assert torch.equal(moved.forward[order], case.oracle.forward)
    assert torch.equal(moved.dX[order], case.oracle.dX)
    assert torch.equal(moved.dW, case.oracle.dW)
    ends = test_relations.node_orders()
    heard = {name: torch.bincount(of.graph.target, minlength=of.graph.num_nodes) for name, of in ends.items()}
    assert heard["hubs last"][-1] == heard["hubs last"].max() == heard["hubs first"][0]


def test_the_oracle_of_a_batch_is_that_of_its_parts():
    """Rows one after another, dW and db added up."""
    batch = test_relations.batches()["twice the same graph"]
    n = batch.graph.num_nodes // 2
    inside = batch.graph.target < n
    graph = type(batch.graph)(batch.graph.edge_index[:, inside], n, batch.graph.edge_weight[inside])
    parts = []
    for rows in (slice(0, n), slice(n, 2 * n)):
        one = batch.inputs
        inputs = type(one)(x=one.x[rows], weight=one.weight, bias=one.bias, upstream=one.upstream[rows])
        parts.append(make_case(graph, inputs, exact=True).oracle)
    assert torch.equal(torch.cat([part.forward for part in parts]), batch.oracle.forward)
    assert torch.equal(torch.cat([part.dX for part in parts]), batch.oracle.dX)
    assert torch.equal(parts[0].dW + parts[1].dW, batch.oracle.dW)


def test_the_oracle_is_linear_and_scales():
    """By powers of two, and in the weights of the edges not at all."""
    case, scaled = exact_case("exact_weighted"), test_algebra.scalings()
    assert torch.equal(scaled["x and b times 2^60"].oracle.forward, case.oracle.forward * 2.0**60)
    assert torch.equal(scaled["x times 2^-60, W times 2^60"].oracle.forward, case.oracle.forward)
    probe = next(probe for probe in exact_probe_graphs("none") if probe.name == "exact_weighted")
    alike = test_algebra.weight_scalings()["edge weights times 4^-15"]
    assert same(alike.oracle, make_case(probe.graph, alike.inputs, exact=True, self_loops="none").oracle)
    other = exact_case("exact_weighted", seed=1).inputs
    sums = test_algebra.combinations()["x + 2 x'"].oracle
    alone = case.oracle.under(x=other.x.double()).forward - case.inputs.bias
    assert torch.equal(sums.forward, case.oracle.forward + 2 * alone)


def test_forms_lay_out_the_same_numbers():
    """Each as its name says, none of them by chance contiguous."""
    inputs = exact_case("exact_weighted").inputs
    for name, form in test_shapes.forms().items():
        operand = {"x": "x", "G": "upstream", "W": "weight", "b": "bias"}.get(name.split()[0], "x")
        laid = getattr(form(inputs.to("cpu")), operand)
        assert bool(torch.isfinite(laid).all()), name
        assert not laid.is_contiguous() or laid.storage_offset() in (1, 2), name
        if "one_" not in name and "stride 0" not in name:
            assert torch.equal(laid, getattr(inputs, operand)), name


def test_a_backend_that_serves_nothing_here_is_not_applicable(tmp_path):
    """A refusal is none of the errors that a variant is named for: csr_cudagraph needs a GPU."""
    code, run = run_suite(
        tmp_path,
        "equivalence",
        *("-k", "csr_cudagraph and (relations or algebra or shapes)", "--gnnbench-tier=standard"),
    )

    assert code == ExitCode.INCONCLUSIVE  # nothing at all was judged
    assert len(run.results) > 8
    assert {result.outcome for result in run.results} == {Outcome.NOT_APPLICABLE}
