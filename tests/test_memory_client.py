"""The parent survives whatever its children do, names it, and leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import memory_backends
import psutil
import pytest

from gnnbench.memory import BudgetError, TrialEnd, TrialServer, TrialServerError, Workload
from gnnbench.memory.request import TrialRequest
from gnnbench.reference import backend

ONE = Workload(backend="csr", num_nodes=500, num_edges=2000)
MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    with TrialServer() as server:
        server.start()
        yield server


def run(server, backend, workload=ONE, **options):
    options = {"device": "cpu", "budget_bytes": 256 * MIB, "timeout": 30.0, **options}
    return server.run(workload, backend, **options)


def assert_well(server):
    outcome = run(server, memory_backends.Clean())
    assert outcome.survived, outcome.describe()


def test_a_clean_trial_survives(server):
    """The clean twin: it survives, its peak is known, its loss is a number, its budget is told."""
    outcome = run(server, memory_backends.Clean())

    assert outcome.end is TrialEnd.SURVIVED
    assert 0 < outcome.peak_bytes < 10 * MIB
    assert 0 < outcome.loss < 10
    assert (outcome.budget_bytes, outcome.budget_kind) == (256 * MIB, "address space")


def test_trials_repeat(server):
    """The same trial takes the same memory, to a few pages, whatever ran before it."""
    peaks = []
    for nodes in (16_000, 1_000, 16_000, 32_000, 16_000):
        workload = Workload(backend="index_add", num_nodes=nodes, num_edges=10 * nodes)
        outcome = run(server, backend("index_add"), workload)
        peaks += [outcome.peak_bytes] if nodes == 16_000 else []

    assert max(peaks) - min(peaks) <= 0.01 * max(peaks)


@pytest.mark.parametrize(
    ("backend", "end", "said"),
    [
        (memory_backends.Killed, TrialEnd.HOST_OUT_OF_MEMORY, "SIGKILL"),
        (memory_backends.Segfault, TrialEnd.CRASHED, "SIGSEGV"),
        (memory_backends.BusError, TrialEnd.CRASHED, "SIGBUS"),
        (memory_backends.Exits, TrialEnd.ERROR, "exit code 7"),
        (memory_backends.DoesNothing, TrialEnd.ERROR, "no change in weight 1"),
        (memory_backends.NotANumber, TrialEnd.ERROR, "loss nan"),
        (memory_backends.KillsServer, TrialEnd.HOST_OUT_OF_MEMORY, "SIGKILL"),
    ],
)
def test_what_a_child_does_is_named(server, backend, end, said):
    """Each way of ending is told apart, with the phase, and the next trial is well."""
    outcome = run(server, backend())

    assert outcome.end is end
    assert said in outcome.detail
    assert outcome.phase
    assert_well(server)


def test_a_trial_that_hangs_is_ended(server):
    """After its time a trial is killed, and called timed out."""
    started = time.monotonic()
    outcome = run(server, memory_backends.Hangs(), timeout=0.5)

    assert outcome.end is TrialEnd.TIMED_OUT
    assert outcome.phase == "bind"
    assert time.monotonic() - started < 20
    assert_well(server)


def test_what_a_hanging_trial_started_is_ended_too(tmp_path, monkeypatch):
    """A process that the trial had started does not outlive it."""
    told = tmp_path / "pid"
    monkeypatch.setenv("STRAY_PID_FILE", str(told))
    with TrialServer() as server:
        assert run(server, memory_backends.HangsWithChild(), timeout=3.0).end is TrialEnd.TIMED_OUT

    assert_gone(int(told.read_text()))


def assert_gone(pid):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.05)
                continue
        return
    pytest.fail(f"process {pid} is still there")


def test_what_a_backend_prints_is_no_answer(server):
    """Standard output of a backend, or of a library below it, does not get between parent and child."""
    assert run(server, memory_backends.Talkative()).survived


def test_running_out_is_told_and_recovered_from(server):
    """A step too large for its budget is out of memory, and a small one then fits in the same process."""
    outcome = run(
        server,
        memory_backends.Clean(),
        ONE.with_nodes(200_000),
        budget_bytes=16 * MIB,
        recover_nodes=1000,
    )

    assert outcome.end is TrialEnd.HOST_OUT_OF_MEMORY
    assert outcome.phase == "bind"
    assert abs(outcome.left_bytes) < MIB
    assert outcome.recovery.survived


def test_memory_after_each_step_is_told(server):
    """With several steps, the memory in use after each is known; a leak of results is seen exactly."""
    nodes, steps = 20_000, 5
    clean, leaky = (
        run(server, backend, ONE.with_nodes(nodes), steps=steps).live_bytes
        for backend in (memory_backends.Clean(), memory_backends.Leaky())
    )

    assert len(clean) == steps
    assert clean[-1] - clean[0] < 4 * nodes
    # Both layers' results [N, 16], and the hidden one that the second was computed from.
    assert leaky[-1] - leaky[0] >= (steps - 1) * 2 * 4 * 16 * nodes


def test_the_children_die_with_their_parent(tmp_path):
    """SIGKILL of the parent, while a trial hangs, leaves neither the trial nor what it was forked from."""
    told = tmp_path / "pid"
    code = (
        "import os, pathlib, sys\n"
        f"sys.path.insert(0, {str(Path(memory_backends.__file__).parent)!r})\n"
        "import memory_backends\n"
        "from gnnbench.memory import TrialServer, Workload\n"
        "workload = Workload(backend='csr', num_nodes=500, num_edges=2000)\n"
        "TrialServer().run(workload, memory_backends.HangsAndTells(), device='cpu', budget_bytes=1 << 26, timeout=900)\n"
    )
    environment = {**os.environ, "STRAY_PID_FILE": str(told)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 120
    while not told.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()

    for pid in told.read_text().split():
        assert_gone(int(pid))


def test_closing_leaves_no_process():
    """After the context manager there is no child, though it was still importing."""
    with TrialServer() as server:
        server.start()
        pid = server._process.pid

    assert not psutil.pid_exists(pid)


def test_a_server_that_died_between_trials_is_replaced(server):
    """Nobody's trial is blamed for what killed the server while it was idle."""
    assert_well(server)
    server._process.send_signal(signal.SIGKILL)
    server._process.wait()

    assert_well(server)


def test_nothing_is_started_before_it_is_needed():
    """Making a server starts no process."""
    with TrialServer() as server:
        assert server._process is None


def test_a_child_that_cannot_start_is_explained(monkeypatch, tmp_path):
    """Where the child can't import torch, what it said is in the error."""
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.12: cannot open shared object file')")
    monkeypatch.setattr(
        "gnnbench.memory.client.gnnbench.__file__", str(tmp_path / "gnnbench" / "__init__.py")
    )
    link = tmp_path / "gnnbench"
    link.symlink_to(Path(memory_backends.__file__).parents[1] / "gnnbench")
    monkeypatch.syspath_prepend(tmp_path)

    with TrialServer() as server, pytest.raises(TrialServerError, match=r"libcudart\.so\.12"):
        run(server, memory_backends.Clean())


def test_a_backend_that_cannot_be_sent_is_explained(server):
    """A class made inside a function can't be found by the child; the error says what to do."""

    class Local(memory_backends.Clean):
        pass

    with pytest.raises(TypeError, match="top of an importable module"):
        run(server, Local())


def test_a_backend_whose_module_the_child_lacks_is_an_error_of_the_trial(server, monkeypatch):
    """A module that only exists in the parent ends the trial as an error that names it."""
    module = type(sys)("only_in_the_parent")
    found = type("Found", (memory_backends.Clean,), {"__module__": "only_in_the_parent"})
    module.Found = found
    monkeypatch.setitem(sys.modules, "only_in_the_parent", module)

    outcome = run(server, found())

    assert outcome.end is TrialEnd.ERROR
    assert "only_in_the_parent" in outcome.detail
    assert_well(server)


def test_a_budget_that_endangers_the_host_is_refused(server):
    """A budget that would not leave the host its reserve is never tried."""
    with pytest.raises(BudgetError, match="stay with the host"):
        run(server, memory_backends.Clean(), budget_bytes=1 << 50)


def test_a_graph_that_endangers_the_host_is_refused(server):
    """The graph itself is counted before it is made: 10^12 edges never are."""
    vast = Workload(backend="csr", num_nodes=10, num_edges=10**12)

    with pytest.raises(BudgetError, match="stay with the host"):
        run(server, memory_backends.Clean(), vast)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"steps": 0}, "steps"), ({"timeout": 0.0}, "timeout"), ({"budget_bytes": -5}, "found -5")],
)
def test_nonsense_is_refused(server, wrong, named):
    """Counts, times and budgets out of range are named before anything runs."""
    with pytest.raises(ValueError, match=named):
        run(server, memory_backends.Clean(), **wrong)


def test_a_cpu_trial_always_has_a_budget(server):
    """Without a limit a trial could take the host down."""
    with pytest.raises(ValueError, match="expected a budget"):
        run(server, memory_backends.Clean(), budget_bytes=None)


def test_requests_survive_being_sent():
    """A request is the same after the pipe, the backend's class included."""
    request = TrialRequest(
        workload=ONE,
        backend=memory_backends.Clean(),
        device="cpu",
        budget_bytes=5,
        timeout=1.0,
        recover_nodes=3,
    )

    again = TrialRequest.decode(request.encode())

    assert type(again.backend) is memory_backends.Clean
    assert (again.workload, again.recover_nodes, again.budget_bytes) == (ONE, 3, 5)


def test_threads_of_this_process_are_left_alone():
    """What the child needs in its environment is not set in ours."""
    before = dict(os.environ)
    with TrialServer() as server:
        server.start()

    assert dict(os.environ) == before
