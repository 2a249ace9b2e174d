"""suites/equivalence on GraphSAGE and GAT: each kind of fault turns its checks red, the clean twins stay green."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from gnnbench.checks.suites import suites_folder
from gnnbench.record import Outcome, load

SUITE = suites_folder() / "equivalence"

#: Enough of the probes to catch everything below.
CHECKS = (
    "m_ and (exact_mixed or exact_hub_1024 or mixed or random or hub_2049 or equal_shares) "
    "and not single and not (gat and hub_2049) and not (averaged and random)"
)

EXACT, BOUNDED, HUBS = "sage/exact", "sage/bounded", "sage/hubs"
EQUAL, LARGE = "gat/equal_shares", "gat/large_scores"
SAGE = {EXACT, BOUNDED, HUBS}
REAL = {"gat/bounded", LARGE}
GAT = {*REAL, EQUAL}

#: GraphSAGE layer → the checks that must be red (all others must be green), and what its cause must say.
SAGE_RED = {
    "m_clean": (set(), ""),
    "m_sum": (SAGE, "neighbours are added up, not averaged"),
    "m_loops": (SAGE, "was given a self-loop"),
    "m_no_own_loops": ({EXACT, BOUNDED}, "own self-loops are left out"),
    "m_flipped": (SAGE, "edges are followed backwards"),
    "m_merged": ({EXACT, BOUNDED}, "duplicate edges are merged"),
    "m_lost": (SAGE, ""),
    "m_weighted": ({EXACT, BOUNDED}, "multiplied by edge weights"),
    "m_plus_one": (SAGE, ""),
    "m_bf16_count": (SAGE, "counted in bfloat16, which stops at 256"),
    "m_fp16_count": ({HUBS}, "counted in float16, which stops at 2048"),
    "m_half": ({BOUNDED, HUBS}, ""),
    "m_empty_nan": (SAGE, "division by zero"),
    "m_swapped": (SAGE, "W_l and W_r stand in each other's place"),
    "m_no_root": (SAGE, "own term x W_r is missing"),
    "m_no_bias": (SAGE, "the bias is missing"),
    "m_tf32": ({BOUNDED, HUBS}, ""),
    "m_gradient": (SAGE, ""),
    "m_float64": (SAGE, ""),
    "m_detached": (SAGE, ""),
    "m_crash": (SAGE, ""),
    "m_unsupported": (set(), ""),
}

#: GAT layer → the same.
GAT_RED = {
    "m_clean": (set(), ""),
    "m_clean_maximum": (set(), ""),
    "m_clean_ulps": (set(), ""),
    "m_no_loops": (GAT, "self-loops are missing"),
    "m_own_loops": (REAL, "own self-loops were kept"),
    "m_flipped": (GAT, "edges are followed backwards"),
    "m_merged": (GAT, "duplicate edges are merged"),
    "m_lost": ({"gat/bounded", EQUAL}, ""),
    "m_slope": (REAL, "slope 0.01"),
    "m_relu": (REAL, "ReLU in place of LeakyReLU"),
    "m_by_source": (GAT, "softmax is over the out-edges"),
    "m_no_maximum": ({LARGE}, "maximum was not subtracted"),
    "m_global_maximum": ({LARGE}, ""),
    "m_heads": (GAT, "heads are mixed up"),
    "m_head_order": (GAT, "heads are mixed up: the last head's attention"),
    "m_ends": (GAT, "a_src and a_dst stand in each other's place"),
    "m_head_sum": ({"gat/bounded", EQUAL}, ""),
    "m_no_gradient": (GAT, ""),
    "m_lost_attention": ({"gat/bounded", EQUAL}, ""),
    "m_less_attention": ({EQUAL}, ""),
    "m_epsilon": (GAT, ""),
    "m_half_shares": (REAL, ""),
    "m_bf16_scores": (REAL, ""),
    "m_tf32": (REAL, ""),
    "m_float64": (GAT, ""),
    "m_crash": (GAT, ""),
    "m_unsupported": (set(), ""),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """(file, implementation) → check → the results, of one run over all broken layers."""
    folder = tmp_path_factory.mktemp("layers")
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", str(SUITE / "test_sage.py"), str(SUITE / "test_gat.py")),
            *("-q", "--tb=no", "-p", "no:cacheprovider", "-p", "layer_mutants", "-k", CHECKS),
            *("--gnnbench-tier", "standard", "--gnnbench-device", "cpu"),
            *("--gnnbench-output", str(folder)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    documents = list(folder.glob("*/run.json"))
    assert len(documents) == 1, ended.stdout + ended.stderr
    found = defaultdict(lambda: defaultdict(list))
    for result in load(documents[0]).results:
        check, layer = re.match(r"equivalence/(\w+/\w+)\[cpu-(m_\w+?)-", result.id).groups()
        found[check.partition("/")[0], layer][check].append(result)
    return found


@pytest.mark.parametrize(
    ("layer", "all_checks", "red", "cause"),
    [pytest.param(("sage", name), SAGE, *due, id=f"sage-{name}") for name, due in SAGE_RED.items()]
    + [pytest.param(("gat", name), GAT, *due, id=f"gat-{name}") for name, due in GAT_RED.items()],
)
def test_each_fault_turns_its_checks_red(results, layer, all_checks, red, cause):
    """And leaves the others green; where the numbers tell, the cause is named."""
    checks = results[layer]
    failed = {
        name: [result for result in of if result.outcome is Outcome.FAILED] for name, of in checks.items()
    }

    assert set(checks) == all_checks
    assert {name for name, of in failed.items() if of} == red
    for name in red:
        causes = {result.finding.cause for result in failed[name]}
        assert any(cause in said for said in causes), causes


def test_margins_are_recorded_whatever_the_outcome(results):
    """All quantities, where they passed and where they failed."""
    named = {
        "sage": ["forward", "dX", "dW_l", "dW_r", "db"],
        "gat": ["forward", "dX", "dW", "da_src", "da_dst", "db"],
    }
    for file, quantities in named.items():
        for layer, outcome in (("m_clean", Outcome.PASSED), ("m_flipped", Outcome.FAILED)):
            for result in results[file, layer][f"{file}/bounded"]:
                assert [margin.name for margin in result.margins] == quantities
                assert {margin.rule for margin in result.margins} == {"componentwise"}
                if layer == "m_clean":
                    assert result.outcome is outcome
                    assert 0 < result.worst_margin.ratio <= 1
    for result in results["sage", "m_clean"][EXACT]:
        assert {(margin.error, margin.bound) for margin in result.margins} == {(0, 0)}


def test_a_failure_says_what_where_and_what_to_do(results):
    """Expected, found, the entry in the words of the graph."""
    finding = results["gat", "m_ends"]["gat/bounded"][0].finding
    assert finding.summary.startswith("m_ends: ")
    assert re.search(r"at (node|feature|head) \d+", finding.expected)
    assert finding.found
    assert finding.fix


@pytest.mark.parametrize("file", ["sage", "gat"])
def test_what_is_not_supported_is_listed_with_its_reason(results, file):
    """Not applicable, never passed."""
    for of in results[file, "m_unsupported"].values():
        for result in of:
            assert result.outcome is Outcome.NOT_APPLICABLE
            assert result.finding.summary == "no kernel for Tuesdays"
