"""suites/equivalence, inverse roots that round: no false alarm, and no licence for anything else."""

from collections import defaultdict

import pytest
from suite_runs import judge_backends

from gnnbench.record import Outcome

#: Every kind of comparison there is: of one case, of variants, repeated, on the tripwire, by chance.
CHECKS = "test_exact or test_tripwire or test_batch or test_transposition or through_views or test_repeated or test_layer"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """backend → check → the results, of one run."""
    found = defaultdict(lambda: defaultdict(list))
    for one in judge_backends(tmp_path_factory.mktemp("roots"), "roots_backends", f"roots_ and ({CHECKS})"):
        found[one.backend][one.check].append(one.result)
    return found


@pytest.mark.parametrize("backend", ["roots_ulp", "roots_either_way"])
def test_rounded_roots_are_no_fault(results, backend):
    """A root one ulp off, or four either way, is within what the bounds allow: judged by those, and said so."""
    judged = [result for found in results[backend].values() for result in found]
    assert len(judged) > 20
    assert {result.outcome for result in judged} == {Outcome.PASSED}
    exact = results[backend]["exact/gradients"]
    assert all("off by" in result.facts["inverse_roots"] for result in exact)
    assert {margin.rule for result in exact for margin in result.margins} >= {"componentwise"}
    assert all(margin.error <= margin.bound for result in exact for margin in result.margins)


@pytest.mark.parametrize(
    ("backend", "check"),
    [
        ("roots_ulp_edge", "exact/forward"),
        ("roots_ulp_edge", "relations/batch"),
        ("roots_ulp_edge", "soak/repeated"),
        ("roots_ulp_weights", "exact/forward"),
    ],
)
def test_rounded_roots_excuse_nothing_else(results, backend, check):
    """A lost edge is beyond the bound, whatever the roots are."""
    assert Outcome.FAILED in {result.outcome for result in results[backend][check]}


def test_roots_beyond_their_bound_are_judged_bit_for_bit(results):
    """Roots of 11 bits are wrong, and so every check of exactness stays one."""
    found = results["roots_half"]["exact/forward"]
    assert {result.outcome for result in found} == {Outcome.FAILED}
    assert not any("inverse_roots" in result.facts for result in found)
    assert {margin.rule for result in found for margin in result.margins} == {"exact"}
