"""suites/equivalence, determinism, seeds and soak: what is wrong now and then, and what follows no seed, turns red."""

import os
from collections import defaultdict

import pytest
import torch
from suite_runs import judge_backends

from gnnbench.checks import CheckFailed, Evidence
from gnnbench.numerics import NoDeterministicImplementation, deterministic_algorithms
from gnnbench.record import Outcome
from gnnbench.reference import GCN, backend
from suites.equivalence import test_seeds

CHECKS = {"determinism/same_bits", "determinism/spread", "seeds/training", "soak/repeated"}

#: backend → (checks that must be red, checks that must not be applicable); the others green.
ENDS = {
    "u_clean": (set(), set()),
    "u_ulp": ({"determinism/same_bits", "soak/repeated"}, set()),
    # Each layer counts its own calls, so that two trainings are spoilt in the same place.
    "u_bit": ({"determinism/same_bits", "determinism/spread", "soak/repeated"}, set()),
    "u_far": ({"determinism/same_bits", "determinism/spread", "soak/repeated"}, set()),
    "u_backward": ({"determinism/same_bits", "seeds/training", "soak/repeated"}, set()),
    "u_drift": ({"determinism/same_bits", "seeds/training", "soak/repeated"}, set()),
    "u_always": ({"determinism/same_bits", "soak/repeated"}, set()),
    "u_no_kernel": (set(), {"determinism/same_bits", "seeds/training"}),
    "u_steady": ({"soak/repeated"}, set()),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """check → backend → result, of all backends that are unsteady."""
    found = defaultdict(dict)
    # Backends that compile, as two of them say they do, are trained from tier full on.
    for keyword, tier in (
        ("u_ and (test_determinism or test_soak)", "standard"),
        ("u_ and test_seeds", "full"),
    ):
        folder = tmp_path_factory.mktemp("unsteady")
        for one in judge_backends(folder, "unsteady_backends", keyword, tier):
            found[one.check][one.backend] = one.result
    return found


@pytest.mark.parametrize("backend", ENDS)
def test_each_unsteady_backend_is_caught_by_what_is_meant_for_it(results, backend):
    """And its clean twin by nothing."""
    red, lacking = ENDS[backend]
    ended = {name: of[backend].outcome for name, of in results.items()}
    assert set(ended) == CHECKS
    assert {name for name, outcome in ended.items() if outcome is Outcome.FAILED} == red
    assert {name for name, outcome in ended.items() if outcome is Outcome.NOT_APPLICABLE} == lacking
    assert all(
        outcome is Outcome.PASSED
        for name, outcome in ended.items()
        if name not in red and name not in lacking
    )


def test_a_soak_says_how_often_where_and_which_bits(results):
    """The first of them, and how many: one in ten of 200 is twenty."""
    result = results["soak/repeated"]["u_bit"]
    assert result.facts["disagreements"] == 20
    assert result.facts["repetitions"] == 200
    assert result.facts["repetitions_that_disagree"] == [*range(6, 200, 10)]
    assert "20 of 200 repetitions" in result.finding.summary
    assert "in repetition 7, forward at node 5, channel 2" in result.finding.found
    assert "bit 22 differs; 1 entry in all" in result.finding.found
    assert "a single bit of a single number" in result.finding.cause
    assert "every time" in results["soak/repeated"]["u_always"].finding.cause


def test_a_soak_without_disagreement_says_what_that_is_worth(results):
    """The rule of three: 200 repetitions bound the rate by 1.5 %."""
    facts = results["soak/repeated"]["u_clean"].facts
    assert facts["disagreements"] == 0
    assert facts["rate_below"] == 0.015
    assert "95 % confidence fewer than 0.015 of all calls" in facts["statement"]


def test_the_spread_is_measured_where_bits_differ(results):
    """As a share of the bound; on a CPU whose bits agree there is nothing to measure."""
    assert not results["determinism/spread"]["u_clean"].measurements
    found = {one.params["quantity"]: one for one in results["determinism/spread"]["u_ulp"].measurements}
    assert 0 < found["forward"].samples[0] < 1
    assert found["dX"].samples[0] == 0
    margin = results["determinism/spread"]["u_ulp"].worst_margin
    assert margin.ratio == pytest.approx(found["forward"].samples[0] / 2)
    assert results["determinism/spread"]["u_far"].worst_margin.ratio > 1


def test_what_has_no_deterministic_kernel_is_never_passed(results):
    """Not applicable, in torch's words."""
    finding = results["determinism/same_bits"]["u_no_kernel"].finding
    assert "spmm_cuda does not have a deterministic implementation" in finding.summary
    assert finding.needs == "backend:u_no_kernel"


def private_dropout(values, p=0.5, training=True, inplace=False):
    """Draws from a generator of its own, seeded once."""
    if not training:
        return values
    return values * (torch.rand(values.shape, generator=_PRIVATE) >= p) / (1 - p)


_PRIVATE = torch.Generator().manual_seed(0)


def outcome(function, *arguments):
    """None where the check passes, else what it says."""
    try:
        function(*arguments, torch.device("cpu"), Evidence())
    except CheckFailed as failed:
        return failed.finding
    return None


SEED = torch.manual_seed

#: what is replaced, by what → (what the check of dropout says, what that of training says); "" passes.
PLANTS = {
    "nothing": (None, "", ""),
    # As on another model of GPU: the same seed, another stream (F49).
    "another stream": (("torch.manual_seed", lambda seed: SEED(seed * 31 + 17)), "", ""),
    "private generator": (
        ("torch.nn.functional.dropout", private_dropout),
        "reseeding gives another mask",
        "part in step 1",
    ),
    "seed ignored": (("torch.manual_seed", lambda seed: SEED(0)), "another seed gives the same mask", ""),
    "no dropout": (
        ("torch.nn.functional.dropout", lambda values, *_: values),
        "two masks in a row are the same",
        "",
    ),
    "seeds of all": (
        ("gnnbench.reference.training.GCN", lambda *args, seed=0, **kw: GCN(*args, **kw)),
        "",
        "",
    ),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_dropout_and_training_follow_the_seed(monkeypatch, plant):
    """F50 is red; F49, another stream for the same seed on another model, is not."""
    planted, says, training_says = PLANTS[plant]
    if planted:
        monkeypatch.setattr(*planted)
    finding = outcome(test_seeds.test_dropout)
    assert says in (finding.summary if finding else "")
    assert bool(finding) is bool(says)
    finding = outcome(test_seeds.test_training, backend("csr"))
    assert training_says in (finding.summary if finding else "")
    assert bool(finding) is bool(training_says)


def test_a_seed_that_changes_nothing_is_no_seed(monkeypatch):
    """Initial parameters and masks alike for every seed."""
    monkeypatch.setattr(torch, "manual_seed", lambda seed: SEED(0))
    monkeypatch.setattr(
        "gnnbench.reference.training.GCN", lambda *args, seed=0, **options: GCN(*args, **options)
    )
    finding = outcome(test_seeds.test_training, backend("csr"))
    assert "another seed gives the same training" in finding.summary


def test_global_settings_are_put_back():
    """torch's switch and cuBLAS's variable, also after an error."""
    before = dict(os.environ)
    with deterministic_algorithms():
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"]
    with pytest.raises(NoDeterministicImplementation, match="no_such_op"), deterministic_algorithms():
        raise RuntimeError("no_such_op does not have a deterministic implementation, but you set ...")
    with pytest.raises(RuntimeError, match="illegal"), deterministic_algorithms():
        raise RuntimeError("an illegal memory access was encountered")
    assert not torch.are_deterministic_algorithms_enabled()
    assert dict(os.environ) == before
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with deterministic_algorithms():
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
