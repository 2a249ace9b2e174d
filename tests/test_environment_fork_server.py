"""gnnbench.environment.child.ForkServer: imports are shared, and nothing else is."""

import os
import signal
import subprocess
import sys
import time

import pytest

from gnnbench.environment import Ending, ForkServer, Limits

SHARED = """
import os
with open(os.environ["IMPORTS"], "a") as file:
    file.write(f"{os.getpid()} {[name for name in os.environ if name.startswith('PYTEST_')]}\\n")
"""

TARGETS = """
import os, resource, subprocess, sys, time
import shared

def answer(a, b):
    print("said")
    print("whispered", file=sys.stderr)
    return {"sum": a + b}

def fail():
    raise LookupError("not there")

def segfault():
    os.kill(os.getpid(), 11)

def leave():
    os._exit(9)

def hang(pid_file):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open(pid_file, "w").write(f"{os.getpid()} {child.pid}")
    time.sleep(600)

def escape(pid_file):
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if (daemon := os.fork()) == 0:
            time.sleep(600)
        os.write(write, str(daemon).encode())
        os._exit(0)
    return int(os.read(read, 20))

def nap():
    started = time.monotonic()
    time.sleep(0.5)
    return [started, time.monotonic()]

def variable(name):
    return os.environ.get(name)

def files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

def descriptors():
    return len(os.listdir("/proc/self/fd"))
"""


@pytest.fixture
def imports(tmp_path, monkeypatch):
    """A file with a line for each process in which the shared module was imported."""
    (tmp_path / "shared.py").write_text(SHARED)
    (tmp_path / "fork_targets.py").write_text(TARGETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("IMPORTS", str(tmp_path / "imports"))
    return tmp_path / "imports"


@pytest.fixture
def server(imports):
    """A server that has the shared module, and nothing of pytest."""
    with ForkServer(["shared"]) as one:
        yield one


def gone(pid, within=5.0):
    """Whether process `pid` ends within seconds."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().split()[2] == "Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_what_is_shared_is_imported_once_and_away_from_pytest(server, imports):
    """By the server, whatever is asked of it."""
    reports = [server.start("fork_targets:answer", number, 3, timeout=30) for number in range(3)]

    assert [one.wait().value for one in reports] == [{"sum": 3}, {"sum": 4}, {"sum": 5}]
    (line,) = imports.read_text().splitlines()
    assert line == f"{server._process.pid} []"
    assert server.import_seconds > 0


def test_each_has_words_of_its_own(server):
    """What a probe prints is not another's, nor the server's."""
    report = server.start("fork_targets:answer", 2, 3, timeout=30).wait()

    assert (report.ending, report.stdout, report.stderr) == (Ending.OK, "said\n", "whispered\n")


@pytest.mark.parametrize(
    ("function", "ending", "words"),
    [
        ("fail", Ending.RAISED, "LookupError: not there"),
        ("segfault", Ending.CRASHED, "killed by SIGSEGV"),
        ("leave", Ending.CRASHED, "exit status 9 without an answer"),
    ],
)
def test_one_that_ends_badly_harms_no_other(server, function, ending, words):
    """It is told how it ended, and the next is served."""
    report = server.start(f"fork_targets:{function}", timeout=30).wait()

    assert (report.ending, report.error) == (ending, words)
    assert server.start("fork_targets:answer", 1, 1, timeout=30).wait().ok


def test_hung_is_killed_with_all_it_started(server, tmp_path):
    """While others are served; it has the time that it was given, from its fork."""
    hung = server.start("fork_targets:hang", str(tmp_path / "pid"), timeout=1)
    other = server.start("fork_targets:answer", 1, 1, timeout=30)

    assert other.wait().ok
    report = hung.wait()
    assert (report.ending, report.error) == (Ending.HUNG, "no end within 1 s")
    assert all(gone(pid) for pid in (tmp_path / "pid").read_text().split())


def test_they_run_side_by_side(server):
    """Two that sleep do so at the same time."""
    one, other = (server.start("fork_targets:nap", timeout=30) for _ in range(2))

    assert max(one.wait().value[0], other.wait().value[0]) < min(one.wait().value[1], other.wait().value[1])


def test_what_waits_for_a_core_has_its_time_before_it(server):
    """Far more than can run at once: each has its seconds from its own fork."""
    probes = [server.start("fork_targets:nap", timeout=3) for _ in range(8 * len(os.sched_getaffinity(0)))]

    assert [one.wait().ending for one in probes] == [Ending.OK] * len(probes)


def test_limits_and_variables_hold_in_the_fork_alone(server):
    """The next has the server's own."""
    limited = server.start("fork_targets:files", timeout=30, limits=Limits(open_files=77)).wait()
    told = server.start("fork_targets:variable", "TOLD", timeout=30, environment={"TOLD": "x"}).wait()
    without = server.start(
        "fork_targets:variable", "IMPORTS", timeout=30, environment={"IMPORTS": None}
    ).wait()

    assert (limited.value, told.value, without.value) == (77, "x", None)
    assert server.start("fork_targets:files", timeout=30).wait().value != 77
    assert server.start("fork_targets:variable", "TOLD", timeout=30).wait().value is None


def test_descriptors_do_not_pile_up(server):
    """Each fork finds as many open as the first did."""
    counts = {server.start("fork_targets:descriptors", timeout=30).wait().value for _ in range(4)}

    assert len(counts) == 1


def test_what_can_not_be_preloaded_is_left_to_the_probe(imports):
    """A module that raises does not end the server."""
    with ForkServer(["no_such_module", "shared"]) as server:
        assert server.start("fork_targets:answer", 1, 1, timeout=30).wait().ok


def test_a_server_that_dies_leaves_its_probes_to_interpreters_of_their_own(imports, tmp_path):
    """As where importing torch crashes: each probe then says so itself."""
    (tmp_path / "crashing.py").write_text("import os; os.abort()")
    with ForkServer(["crashing"]) as server:
        early = server.start("fork_targets:answer", 1, 1, timeout=30)
        assert early.wait().ok
        assert server.start("fork_targets:segfault", timeout=30).wait().error == "killed by SIGSEGV"
        assert server.start("crashing:anything", timeout=30).wait().error == "killed by SIGABRT"


def test_a_server_that_hangs_is_told_as_hung(imports, tmp_path, monkeypatch):
    """Its probes are not tried one by one: each would hang as long."""
    (tmp_path / "hanging.py").write_text("import time; time.sleep(600)")
    monkeypatch.setattr("gnnbench.environment.child.fork_server._START_S", 1.0)
    with ForkServer(["hanging"]) as server:
        probes = [server.start("fork_targets:answer", 1, 1, timeout=30) for _ in range(2)]
        assert probes[0].wait().ending is Ending.HUNG
        started = time.monotonic()
        assert probes[1].wait().ok  # by itself, for it imports nothing that hangs
        assert time.monotonic() - started < 20


def test_closing_kills_all(imports, tmp_path):
    """The server, its probes and what they started."""
    with ForkServer(["shared"]) as server:
        server.start("fork_targets:hang", str(tmp_path / "pid"), timeout=600)
        end = time.monotonic() + 20
        while not (tmp_path / "pid").exists() or len((tmp_path / "pid").read_text().split()) < 2:
            assert time.monotonic() < end
            time.sleep(0.02)
        pids = [server._process.pid, int((tmp_path / "pid").read_text().split()[0])]
    assert all(gone(pid) for pid in pids)


def test_closing_kills_what_left_its_session(imports, tmp_path):
    """A daemon that a library has started would live on, and may hold a GPU."""
    with ForkServer(["shared"]) as server:
        daemon = server.start("fork_targets:escape", str(tmp_path / "pid"), timeout=60).wait().value
        assert not gone(daemon, within=0.1)
    assert gone(daemon)


def test_too_few_files_are_told_by_each_probe_that_can_not_start(imports, few_files):
    """Nothing is raised: one limit that is too low must not take all checks along."""
    few_files(16)
    with ForkServer(["shared"]) as server:
        reports = [
            one.wait() for one in [server.start("fork_targets:answer", 1, 2, timeout=60) for _ in range(9)]
        ]

    assert reports[0].value == {"sum": 3}
    assert reports[-1].ending is Ending.RAISED
    assert "Too many open files" in reports[-1].error


def test_a_server_that_can_not_be_started(imports, few_files):
    """Its probes say why."""
    few_files(3)
    with ForkServer(["shared"]) as server:
        report = server.start("fork_targets:answer", 1, 2, timeout=60).wait()

    assert report.error == "OSError: [Errno 24] Too many open files: no process could be started"


def test_it_dies_with_whoever_started_it(imports, tmp_path):
    """Also with one that is killed."""
    parent = subprocess.Popen(
        [sys.executable, "-c",
         "import sys, time; sys.path.insert(0, sys.argv[1])\n"
         "from gnnbench.environment import ForkServer\n"
         "server = ForkServer(['shared']); print(server._process.pid, flush=True); time.sleep(600)",
         str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )  # fmt: skip
    with parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)

    assert gone(pid)
