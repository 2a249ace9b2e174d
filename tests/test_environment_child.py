"""gnnbench.environment.child: how a process ended is told apart, and nothing of it stays behind."""

import os
import time
from pathlib import Path

import pytest

from gnnbench.environment import Ending, Limits, run, start

TARGETS = """
import os, signal, subprocess, sys, time, resource

def answer(a, b):
    print("said")
    return {"sum": a + b}

def fail():
    raise LookupError("not there")

def segfault():
    os.kill(os.getpid(), signal.SIGSEGV)

def leave():
    os._exit(9)

def hang(pid_file):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open(pid_file, "w").write(str(child.pid))
    time.sleep(600)

def variables():
    return sorted(name for name in os.environ if name.startswith("PYTEST_")) + [os.environ.get("PLANTED", "")]

def files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
"""


@pytest.fixture(autouse=True)
def targets(tmp_path, monkeypatch):
    """A module of probes that the child can import as this process can."""
    (tmp_path / "probe_targets.py").write_text(TARGETS)
    monkeypatch.syspath_prepend(tmp_path)


def test_ok():
    """A probe that returns is ok, with its value and what it printed."""
    report = run("probe_targets:answer", 2, 3, timeout=30)

    assert report.ending is Ending.OK
    assert report.value == {"sum": 5}
    assert report.stdout == "said\n"


def test_raised():
    """An exception is told by its class, its text and its traceback."""
    report = run("probe_targets:fail", timeout=30)

    assert report.ending is Ending.RAISED
    assert report.error_type == "LookupError"
    assert "not there" in report.error
    assert "in fail" in report.traceback


def test_crashed_by_a_signal():
    """A segfault is a crash, and names the signal."""
    report = run("probe_targets:segfault", timeout=30)

    assert report.ending is Ending.CRASHED
    assert report.signal == 11
    assert "SIGSEGV" in report.describe()


def test_crashed_by_leaving():
    """A process that goes without an answer has crashed, whatever its exit status."""
    report = run("probe_targets:leave", timeout=30)

    assert report.ending is Ending.CRASHED
    assert report.exit_status == 9


def test_hung_is_killed_with_all_it_started(tmp_path):
    """A probe that does not end is killed at its time, and its own children with it."""
    report = run("probe_targets:hang", str(tmp_path / "pid"), timeout=2)

    assert report.ending is Ending.HUNG
    grandchild = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    end = time.monotonic() + 5
    while grandchild.exists() and grandchild.read_text().split()[2] != "Z" and time.monotonic() < end:
        time.sleep(0.02)
    assert not grandchild.exists() or grandchild.read_text().split()[2] == "Z"


def test_pytest_is_not_inherited():
    """The child does not know that it is started from a test, for PyG behaves differently there."""
    assert "PYTEST_CURRENT_TEST" in os.environ

    assert run("probe_targets:variables", timeout=30, environment={"PLANTED": "x"}).value == ["x"]


def test_limits():
    """Limits hold in the child and not here."""
    assert run("probe_targets:files", timeout=30, limits=Limits(open_files=77)).value == 77


def test_close_kills():
    """A child that nobody waits for is gone when it is closed."""
    with start("probe_targets:hang", os.devnull, timeout=600) as child:
        pid = child._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_can_not_be_killed(monkeypatch):
    """A driver that never returns from the kernel leaves a process that outlives SIGKILL: the run goes on."""
    import subprocess

    def stuck(self, timeout=None):
        assert timeout is not None, "waiting for it without end would hang the run"
        raise subprocess.TimeoutExpired("python", timeout)

    child = start("time:sleep", 60, timeout=0.2)
    wait = subprocess.Popen.wait
    monkeypatch.setattr("subprocess.Popen.wait", stuck)
    report = child.wait()
    monkeypatch.undo()
    wait(child._process)

    assert report.ending is Ending.HUNG
    assert "stuck in the kernel" in report.error
