"""Every check of the throughput suite is red under the fault it is there for, and green under the clean twin."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import memory_backends
import pytest
import torch

from gnnbench.checks import CheckFailed, Evidence, Inconclusive, NotApplicable, Tier
from gnnbench.graphs import Graph, power_law
from gnnbench.numerics import gcn_bound, gcn_oracle, real_inputs
from gnnbench.record import load
from gnnbench.reference import UnsupportedByBackend, backend, registry
from gnnbench.timing import Clock, clock, sample
from suites.throughput import oracle, sizing, test_clock, test_gcn

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Graphs as small as still show the faults, and one thread."""
    monkeypatch.setitem(sizing._NODES["cpu"], Tier.SMOKE, 2000)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def plant(monkeypatch):
    """Put a faulty backend where csr stands."""

    def put(faulty):
        monkeypatch.setitem(registry._registered, "csr", faulty)

    return put


def timed(work, *, rounds, **facts):
    """What the fixture of that name does where pytest-benchmark is disabled."""
    return sample(work, clock("cpu"), rounds=rounds)


def forward(evidence=None):
    test_gcn.test_layer_forward("csr", CPU, evidence or Evidence(), Tier.SMOKE, timed)


def step(evidence=None):
    test_gcn.test_training_step("csr", CPU, evidence or Evidence(), Tier.SMOKE, timed)


# The clean twins


@pytest.mark.parametrize(("check", "time_name"), [(forward, "forward_time"), (step, "step_time")])
def test_clean_measurements(plant, check, time_name):
    """Rates and times of every sample are recorded, with the unit, the direction and the sizes."""
    plant(memory_backends.Clean())
    evidence = Evidence()

    check(evidence)

    rate, taken = evidence.measurements
    assert (rate.name, rate.unit, rate.direction) == ("edges_per_second", "edge/s", "higher")
    assert (taken.name, taken.unit, taken.direction) == (time_name, "s", "lower")
    assert len(taken.samples) == sizing.ROUNDS[Tier.SMOKE] >= 2
    assert [r * t for r, t in zip(rate.samples, taken.samples, strict=True)] == pytest.approx([20_000] * 5)
    assert rate.params["edges"] == 20_000
    assert rate.key[:2] != taken.key[:2]


def test_clean_layer_is_within_its_bound(plant):
    """Both results that are looked at leave their margin."""
    plant(memory_backends.Clean())
    evidence = Evidence()

    forward(evidence)

    assert [margin.name for margin in evidence.margins] == ["timed result", "result for other inputs"]
    assert all(0 < margin.ratio < 1 for margin in evidence.margins)


def test_clean_growth_and_no_edges():
    """More edges take longer, and none are no throughput."""
    test_gcn.test_time_grows_with_work("csr", CPU, clock("cpu"), Evidence(), Tier.SMOKE)
    test_gcn.test_no_edges("csr", CPU, clock("cpu"), Evidence())


def test_clean_clock():
    """The real clock of the CPU is right, and its cost is measured."""
    evidence = Evidence()

    test_clock.test_waits_for_the_device(CPU, clock("cpu"), evidence)

    assert evidence.measurements[0].name == "clock_cost"


# The faults


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (memory_backends.DoesNothing, "timed result: what was timed did not do its work"),
        (memory_backends.DropsRow, "timed result: what was timed did not do its work"),
        (memory_backends.Keeps, "result for other inputs: what was timed did not do its work"),
        (memory_backends.Elsewhere, r"shape \[2000, 64\] on meta"),
        (memory_backends.NotANumber, "not finite"),
    ],
)
def test_a_layer_that_does_not_do_its_work_is_found(plant, faulty, said):
    """What skips work, keeps an old result, strays to another device or makes no numbers is not timed in peace."""
    plant(faulty())

    with pytest.raises(CheckFailed, match=said):
        forward()


def test_a_failed_layer_still_shows_its_time_and_margin(plant):
    """Evidence is recorded before it is judged."""
    plant(memory_backends.DropsRow())
    evidence = Evidence()

    with pytest.raises(CheckFailed):
        forward(evidence)

    assert evidence.measurements
    assert evidence.margins[0].ratio > 1


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (memory_backends.DoesNothing, "no change in weight 1"),
        (memory_backends.NotANumber, "loss nan"),
        (memory_backends.WrongGradient, "do not lower the loss"),
    ],
)
def test_a_step_that_does_not_train_is_found(plant, faulty, said):
    """A step that moves nothing, makes no number or climbs is no training step."""
    plant(faulty())

    with pytest.raises(CheckFailed, match=said):
        step()


def test_work_that_does_not_grow_is_found(plant):
    """A backend whose time does not depend on the graph does not do the graph's work."""
    plant(Constant())

    with pytest.raises(CheckFailed, match="sixteen times the edges hardly take longer"):
        test_gcn.test_time_grows_with_work("csr", CPU, clock("cpu"), Evidence(), Tier.SMOKE)


class Constant(memory_backends.Clean):
    """Always takes as long, and computes nothing of the graph."""

    def spoil(self, layer, num_nodes):
        def spoilt(x, w, b):
            time.sleep(2e-3)
            return b

        return spoilt


def test_an_unsynchronised_clock_is_found(monkeypatch):
    """F53: a clock that does not wait reads a launch and not the work."""
    monkeypatch.setattr(test_clock, "Clock", lambda device, synchronize: Clock(device))

    with pytest.raises(CheckFailed, match="does not wait for work"):
        test_clock.test_waits_for_the_device(CPU, clock("cpu"), Evidence())


@pytest.mark.parametrize("factor", [0.5, 0.99, 1.01, 2.0])
def test_a_clock_that_runs_wrong_is_found(factor):
    """A clock that is scaled or intercepted disagrees with the kernel's raw clock."""
    wrong = Clock("cpu", now=lambda: factor * time.perf_counter())

    # 20 ms and 1 %: the readings' own nesting costs some microseconds.
    with pytest.raises(CheckFailed, match="disagrees with the kernel's raw clock"):
        test_clock.test_waits_for_the_device(CPU, wrong, Evidence())


def test_a_detour_to_another_device_is_found():
    """Work asked for on one device that runs on another is named, operator by operator."""

    def detour():
        return torch.empty_like(torch.ones(4, 4) @ torch.ones(4, 4), device="meta")

    with pytest.raises(CheckFailed, match=r"aten\.mm"):
        test_gcn._require_placement(memory_backends.Clean(), detour, torch.device("meta"))


def test_a_backend_that_fails_without_edges_is_found(plant):
    """F24: dividing by the number of edges is an error of the backend, and turns the check red."""
    plant(memory_backends.Unprepared())

    with pytest.raises(ZeroDivisionError):
        test_gcn.test_no_edges("csr", CPU, clock("cpu"), Evidence())


# What can't be judged


def test_a_backend_without_the_kernel_is_not_applicable(plant):
    """What a backend says it can't do is no failure."""

    class Refuses(memory_backends.Clean):
        def bind(self, graph, **options):
            raise UnsupportedByBackend("no such kernel here")

    plant(Refuses())
    for check in (forward, step):
        with pytest.raises(NotApplicable, match="no such kernel here"):
            check()


def test_a_graph_that_does_not_fit_is_inconclusive(monkeypatch):
    """Where memory is short the check does not risk the machine."""
    monkeypatch.setattr(sizing, "available_host_bytes", lambda: 1000)

    with pytest.raises(Inconclusive, match="too little free memory"):
        forward()


# The sampled oracle


@pytest.mark.parametrize("edges", [0, 1, 500])
def test_sampled_rows_are_those_of_the_oracle(edges):
    """Rows and their bounds equal those of the whole layer in float64."""
    graph = power_law(40, edges, seed=3, device="cpu")
    given = real_inputs(40, 5, 3, seed=1)
    whole = gcn_oracle(graph, given.x, given.weight, given.bias, given.upstream)
    rows = oracle.sample_rows(graph)

    expected, bound = oracle.rows_of_layer(graph, rows, given.x, given.weight, given.bias)

    torch.testing.assert_close(expected, whole.forward[rows], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(bound, gcn_bound(whole, "forward")[rows], rtol=1e-6, atol=0.0)


def test_the_hub_is_among_the_rows():
    """The node with most in-edges is always looked at: that is where sums go wrong."""
    hub = torch.tensor([[0, 1, 2, 3, 4], [777, 777, 777, 5, 6]])

    rows = oracle.sample_rows(Graph(hub, 100_000))

    assert 777 in rows
    assert torch.equal(rows, torch.unique(rows))


# The whole suite, as users run it


def run_suite(folder, *options):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            str(ROOT / "suites" / "throughput"),
            "--gnnbench-tier=smoke",
            f"--gnnbench-output={folder}",
            "-q",
            "-W",
            "error",
            "-k",
            "csr or clock",
            *options,
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (document,) = Path(folder).rglob("run.json")
    return load(document)


def test_the_suite_is_the_same_with_and_without_pytest_benchmark(tmp_path):
    """Ids, outcomes and quantities agree under xdist, and pytest-benchmark's JSON has what its tools read."""
    runs = {}
    for name, options in {
        "measuring": ("--benchmark-json", "benchmark.json"),
        "xdist": ("-n", "2"),
    }.items():
        (tmp_path / name).mkdir()
        runs[name] = run_suite(tmp_path / name, *options)
    written = json.loads((tmp_path / "measuring" / "benchmark.json").read_text())

    seen = {
        name: sorted((r.id, r.outcome, tuple(m.name for m in r.measurements)) for r in run.results)
        for name, run in runs.items()
    }
    assert seen["measuring"] == seen["xdist"]
    assert len(seen["measuring"]) == 5
    assert {b["options"]["timer"] for b in written["benchmarks"]} == {"clock(cpu)"}
    for found in written["benchmarks"]:
        (result,) = [r for r in runs["measuring"].results if r.nodeid.endswith(found["name"])]
        times = result.measurements[1].samples
        assert found["stats"]["rounds"] == len(times)
        assert found["stats"]["data"] == pytest.approx(list(times))
        assert found["stats"]["ops"] > 0
        assert found["extra_info"]["edges"] == 100_000


def test_the_backends_that_are_timed_exist():
    """The names in the suite are registered, so that a renamed backend is not left out in silence."""
    names = [one if isinstance(one, str) else one.values[0] for one in test_gcn._BACKENDS]

    assert [backend(name).name for name in names] == names
