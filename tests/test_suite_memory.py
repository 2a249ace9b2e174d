"""Every check of the memory suite is red under the fault it is there for, and green under the clean twin."""

import memory_backends
import pytest
import torch

from gnnbench.checks import CheckFailed, Evidence, Inconclusive, NotApplicable, Tier
from gnnbench.memory import TrialEnd, TrialOutcome, TrialServer
from gnnbench.reference import backend, registry
from suites.memory import sizing, test_peak, test_recovery, test_threshold

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trials():
    with TrialServer() as server:
        server.start()
        yield server


@pytest.fixture
def plant(monkeypatch):
    """Put a faulty backend where a good one stands."""

    def put(faulty, name="csr"):
        monkeypatch.setitem(registry._registered, name, faulty)

    return put


class Told:
    """A child process whose every trial ends as it is told: for ends that a CPU can't have."""

    def __init__(self, outcome):
        self.outcome = outcome

    def run(self, workload, backend, **options):
        return self.outcome(workload) if callable(self.outcome) else self.outcome


def out_of_memory(**values):
    return TrialOutcome(end=TrialEnd.DEVICE_OUT_OF_MEMORY, budget_kind="allocator fraction", **values)


SURVIVED = TrialOutcome(end=TrialEnd.SURVIVED, peak_bytes=1000, loss=2.0, budget_kind="allocator fraction")


# The clean twins


@pytest.mark.parametrize("name", ["csr", "dense"])
def test_clean_threshold(trials, name, plant):
    """The largest graph is found, measured, and near what was predicted."""
    plant(memory_backends.Clean())
    evidence = Evidence()

    test_threshold.test_largest_graph(name, CPU, evidence, Tier.SMOKE, trials)

    (found,) = evidence.measurements
    facts = evidence.facts
    assert (found.name, found.unit, found.direction) == ("largest_nodes", "node", "higher")
    assert facts["largest_passed"] == found.samples[0] < facts["smallest_failed"]
    assert facts["smallest_failed"] <= 1.06 * facts["largest_passed"]
    assert 0.8 < facts["predicted_by_measured"] < 1.25
    assert len(facts["trials"]) <= 8


def test_sparse_fits_many_times_what_dense_does(trials):
    """Under one budget the sparse threshold is far above the dense one."""
    largest = {}
    for name in ("csr", "dense"):
        evidence = Evidence()
        test_threshold.test_largest_graph(name, CPU, evidence, Tier.SMOKE, trials)
        largest[name] = evidence.facts["largest_passed"]

    assert largest["csr"] > 8 * largest["dense"]


def test_clean_comparison_of_sparse_and_dense(trials, plant):
    """Sparse survives where dense does not."""
    plant(memory_backends.Clean())
    evidence = Evidence()

    test_threshold.test_sparse_survives_where_dense_cannot(CPU, evidence, Tier.SMOKE, trials)

    assert evidence.facts["outcomes"]["csr"] == "survived"
    assert "out of memory" in evidence.facts["outcomes"]["dense"]


def test_clean_peak(trials, plant):
    """The peak is within its bound, with the margin, the terms and the measurement recorded."""
    plant(memory_backends.Clean())
    evidence = Evidence()

    test_peak.test_sparse_step_is_linear("csr", CPU, evidence, Tier.SMOKE, trials)

    assert 0.2 < evidence.margins[0].ratio < 1
    assert evidence.measurements[0].unit == "B"
    assert sum(term["bytes"] for term in evidence.facts["terms"] if term["moment"] == "bind") > 0


@pytest.mark.parametrize("name", ["csr", "dense", "index_add"])
def test_clean_growth(trials, name):
    """Sparse backends grow with the edges, the dense one with the square of the nodes."""
    evidence = Evidence()

    test_peak.test_growth(backend(name), CPU, evidence, trials)

    assert evidence.facts["exponent"] == pytest.approx(2 if name == "dense" else 1, abs=0.15)


def test_clean_recovery(trials, plant):
    """After running out, the same process trains nearly the largest graph."""
    plant(memory_backends.Clean())
    evidence = Evidence()

    test_recovery.test_trains_again_after_running_out("csr", CPU, evidence, Tier.SMOKE, trials)

    assert evidence.facts["recovery"] == "survived"


def test_clean_steps_leave_nothing(trials, plant):
    """Repeated steps end with the memory that the first left."""
    plant(memory_backends.Clean())
    evidence = Evidence()

    test_recovery.test_no_growth("csr", CPU, evidence, trials)

    assert evidence.margins[0].ratio < 0.5


# The faults


def test_densified_gradient_is_found_by_its_peak(trials, plant):
    """F10: a backward pass that writes out N x N is beyond the linear bound."""
    plant(memory_backends.DensifiedGradient())

    with pytest.raises(CheckFailed, match="more memory than its terms explain"):
        test_peak.test_sparse_step_is_linear("csr", CPU, Evidence(), Tier.SMOKE, trials)


def test_densified_gradient_is_found_by_its_growth(trials):
    """F10: the same for a backend that no model knows: memory grows with the square."""
    with pytest.raises(CheckFailed, match=r"to the power of (1\.[6-9]|2)"):
        test_peak.test_growth(memory_backends.DensifiedGradient(), CPU, Evidence(), trials)


def test_densified_gradient_is_found_where_dense_cannot_survive(trials, plant):
    """F10: sparse is out of memory where it must survive."""
    plant(memory_backends.DensifiedGradient())

    with pytest.raises(CheckFailed, match="does not survive"):
        test_threshold.test_sparse_survives_where_dense_cannot(CPU, Evidence(), Tier.SMOKE, trials)


def test_densified_gradient_is_found_by_the_threshold(trials, plant):
    """F10: a graph that must fit does not."""
    plant(memory_backends.DensifiedGradient())

    with pytest.raises(CheckFailed, match="a graph that must fit does not"):
        test_threshold.test_largest_graph("csr", CPU, Evidence(), Tier.SMOKE, trials)


def test_an_extra_activation_is_found(trials, plant):
    """A backend that keeps copies nobody needs is beyond the bound, though it is linear."""
    plant(memory_backends.ExtraActivation())

    with pytest.raises(CheckFailed, match="more memory than its terms explain"):
        test_peak.test_sparse_step_is_linear("csr", CPU, Evidence(), Tier.SMOKE, trials)


def test_a_leak_is_found(trials, plant):
    """F11: every step leaves its results behind."""
    plant(memory_backends.Leaky())

    with pytest.raises(CheckFailed, match="every training step leaves memory behind"):
        test_recovery.test_no_growth("csr", CPU, Evidence(), trials)


def test_a_leak_of_failures_is_found(trials, plant):
    """F51: an exception that is kept keeps the memory, and nothing fits any more."""
    plant(memory_backends.LeaksWhenItFails())
    evidence = Evidence()

    with pytest.raises(CheckFailed, match="can't train what fitted before") as caught:
        test_recovery.test_trains_again_after_running_out("csr", CPU, evidence, Tier.SMOKE, trials)

    assert evidence.facts["left_bytes"] > 16 << 20
    assert "MiB were still in use" in str(caught.value)


def test_a_failure_that_sticks_is_found(trials, plant):
    """F52: after one refused allocation everything is refused."""
    plant(memory_backends.StickyFailure())

    with pytest.raises(CheckFailed, match="can't train what fitted before"):
        test_recovery.test_trains_again_after_running_out("csr", CPU, Evidence(), Tier.SMOKE, trials)


def test_a_failure_that_sticks_to_the_device_is_found():
    """F52: where later trials fail too, whatever their size, the threshold contradicts itself."""
    failed = []

    def outcome(workload):
        if failed or workload.num_nodes > 30_000:
            failed.append(workload)
            return out_of_memory()
        return SURVIVED

    with pytest.raises(CheckFailed, match="not a matter of its size"):
        test_threshold.test_largest_graph("csr", CPU, Evidence(), Tier.SMOKE, Told(outcome))


@pytest.mark.parametrize(
    "check",
    [
        lambda trials: test_threshold.test_largest_graph("csr", CPU, Evidence(), Tier.SMOKE, trials),
        lambda trials: test_recovery.test_trains_again_after_running_out(
            "csr", CPU, Evidence(), Tier.SMOKE, trials
        ),
    ],
    ids=["threshold", "recovery"],
)
@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (memory_backends.Misreports, "internal error 42"),
        (memory_backends.Segfault, "SIGSEGV"),
        (memory_backends.Exits, "exit code 7"),
    ],
)
def test_running_out_must_be_called_so(trials, plant, check, faulty, said):
    """A step that ends as an error or a crash, where memory ran out, is a finding that says how it ended."""
    plant(faulty())

    with pytest.raises(CheckFailed, match=said):
        check(trials)


def test_dense_must_be_called_out_of_memory(trials, plant):
    """The same for the dense step, which is known to be too large."""

    plant(DenseMisreports(), "dense")

    with pytest.raises(CheckFailed, match="not reported as such"):
        test_threshold.test_sparse_survives_where_dense_cannot(CPU, Evidence(), Tier.SMOKE, trials)


class DenseMisreports(memory_backends.Clean):
    """Turns whatever happens into an error of its own."""

    name = "dense"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        raise ValueError("internal error 42")


def test_a_budget_that_does_not_hold_is_found():
    """Where everything survives, no threshold can be believed."""
    with pytest.raises(CheckFailed, match="needs 8 times the budget survives"):
        test_threshold.test_largest_graph("csr", CPU, Evidence(), Tier.SMOKE, Told(SURVIVED))
    with pytest.raises(CheckFailed, match=r"the dense training step of .* survives"):
        test_threshold.test_sparse_survives_where_dense_cannot(CPU, Evidence(), Tier.SMOKE, Told(SURVIVED))


def test_a_device_on_which_nothing_fits_is_found():
    """Not even one node: the check fails and says how it ended."""
    with pytest.raises(CheckFailed, match="not one graph fits") as caught:
        test_threshold.test_largest_graph("csr", CPU, Evidence(), Tier.SMOKE, Told(out_of_memory()))

    assert "device out of memory" in str(caught.value)


def test_a_backend_that_does_no_work_is_found(trials, plant):
    """A step that changes nothing takes little memory, and is no step."""
    plant(memory_backends.DoesNothing())

    with pytest.raises(CheckFailed, match="ended as: error"):
        test_threshold.test_largest_graph("csr", CPU, Evidence(), Tier.SMOKE, trials)


# What can't be judged


def test_nothing_to_recover_from_is_inconclusive():
    """A step that survives what it should not leaves the question of recovery open."""
    with pytest.raises(Inconclusive, match="nothing to recover from"):
        test_recovery.test_trains_again_after_running_out("csr", CPU, Evidence(), Tier.SMOKE, Told(SURVIVED))


def test_a_machine_without_memory_to_spare_is_inconclusive(monkeypatch):
    """No threshold is looked for where that would endanger the host."""
    monkeypatch.setattr("gnnbench.memory.budget.available_host_bytes", lambda: 1 << 30)

    with pytest.raises(Inconclusive, match="too little free memory"):
        sizing.budget_bytes(CPU, Tier.SMOKE)


def test_a_backend_that_refuses_is_not_applicable():
    """A limit of the backend's own is no threshold of memory."""

    def outcome(workload):
        refused = TrialOutcome(end=TrialEnd.UNSUPPORTED, detail="stops at 1.6 GB")
        return refused if workload.num_nodes > 2_000 else SURVIVED

    evidence = Evidence()
    with pytest.raises(NotApplicable, match="refuses larger graphs"):
        test_threshold.test_largest_graph("dense", CPU, evidence, Tier.SMOKE, Told(outcome))

    assert not evidence.measurements
