"""What counts and limits memory on a GPU, with torch's counters replaced by numbers."""

import pytest
import torch

from gnnbench.memory import BudgetError, TrialEnd, Workload
from gnnbench.memory import trial as module
from gnnbench.memory.gauge import CudaGauge, HostGauge, gauge_for
from gnnbench.memory.request import TrialRequest
from gnnbench.reference import backend

GPU = torch.device("cuda:0")
MIB = 1 << 20


class FakeCuda:
    """The allocator of a GPU of 1000 MiB, 800 of them free, 100 held by this process."""

    def __init__(self):
        self.allocated = 40 * MIB
        self.peak = 999 * MIB
        self.fraction = None

    def install(self, monkeypatch):
        for name in (
            "memory_allocated",
            "memory_reserved",
            "mem_get_info",
            "max_memory_allocated",
            "reset_peak_memory_stats",
            "set_per_process_memory_fraction",
            "synchronize",
            "empty_cache",
        ):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        return self

    def memory_allocated(self, device):
        return self.allocated

    def memory_reserved(self, device):
        return 100 * MIB

    def mem_get_info(self, device):
        return 800 * MIB, 1000 * MIB

    def max_memory_allocated(self, device):
        return self.peak

    def reset_peak_memory_stats(self, device):
        self.peak = self.allocated

    def set_per_process_memory_fraction(self, fraction, device):
        self.fraction = fraction

    def synchronize(self, device=None):
        pass

    def empty_cache(self):
        pass


@pytest.fixture
def cuda(monkeypatch):
    return FakeCuda().install(monkeypatch)


def test_the_budget_is_a_share_of_the_device(cuda):
    """200 MiB beside the 100 that are held are three tenths of 1000; afterwards the whole is there again."""
    gauge = CudaGauge(200 * MIB, GPU)
    limited = cuda.fraction
    gauge.release()

    assert limited == pytest.approx(0.3)
    assert cuda.fraction == 1.0


def test_peak_and_live_are_counted_from_what_was_there(cuda):
    """What was allocated before the trial is not the trial's."""
    gauge = CudaGauge(200 * MIB, GPU)
    cuda.allocated, cuda.peak = 55 * MIB, 140 * MIB

    assert gauge.peak() == 100 * MIB
    assert gauge.live() == 15 * MIB


def test_a_budget_beyond_what_is_free_is_refused(cuda):
    """A GPU that others use has less to give than its size."""
    with pytest.raises(BudgetError, match="800 MiB that are free on cuda:0, found 900 MiB"):
        CudaGauge(900 * MIB, GPU)

    assert cuda.fraction is None


def test_without_a_budget_nothing_is_limited(cuda):
    """The whole device may be asked for."""
    CudaGauge(None, GPU)

    assert cuda.fraction is None


def test_each_device_has_its_gauge(cuda, monkeypatch):
    """A CPU counts address space, a GPU its allocator, and anything else is refused by name."""
    monkeypatch.setattr("gnnbench.memory.gauge.limit_address_space", lambda budget: 0)

    assert isinstance(gauge_for(torch.device("cpu"), 1), HostGauge)
    assert isinstance(gauge_for(GPU, MIB), CudaGauge)
    with pytest.raises(ValueError, match="found 'meta'"):
        gauge_for(torch.device("meta"), 1)


class Counting:
    """A gauge that remembers whether its budget was lifted."""

    kind = "numbers"

    def __init__(self):
        self.released = False

    def peak(self):
        return 7

    def live(self):
        return 3

    def release(self):
        self.released = True


def request(**options):
    workload = Workload(backend="csr", num_nodes=100, num_edges=300)
    return TrialRequest(
        workload=workload, backend=backend("csr"), device="cpu", budget_bytes=1, timeout=1.0, **options
    )


@pytest.mark.parametrize("failing", [False, True])
def test_the_budget_is_lifted_however_the_trial_ends(monkeypatch, failing):
    """A process that runs another trial after this one must not start with this one's limit."""
    gauge = Counting()
    monkeypatch.setattr(module, "gauge_for", lambda device, budget: gauge)
    if failing:
        monkeypatch.setattr(module, "Training", refuse)

    outcome = module.conduct(module.prepare(request()), lambda phase: None)

    assert outcome.end is (TrialEnd.HOST_OUT_OF_MEMORY if failing else TrialEnd.SURVIVED)
    assert gauge.released
    assert (outcome.budget_kind, outcome.budget_bytes) == ("numbers", 1)


def refuse(*_):
    raise MemoryError


def test_a_budget_that_cannot_be_given_is_an_error_of_the_trial(monkeypatch):
    """No trial runs without its budget."""

    def none_left(device, budget):
        raise BudgetError("expected a budget of at most 5 MiB")

    monkeypatch.setattr(module, "gauge_for", none_left)

    outcome = module.conduct(module.prepare(request()), lambda phase: None)

    assert (outcome.end, outcome.phase) == (TrialEnd.ERROR, "budget")
    assert "at most 5 MiB" in outcome.detail
