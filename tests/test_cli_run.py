"""gnnbench run: the watched child, the document it leaves whatever happens, and the verdict."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gnnbench.record import ExitCode, Outcome, RunState, load

#: Reading the environment imports torch, which is other tests' business and takes seconds.
QUICK_PLUGIN = """
import gnnbench.environment
from gnnbench.record import Environment
gnnbench.environment.collect = lambda **_: Environment()
gnnbench.environment.resolve_devices = lambda names: ()
"""

#: The command as installed, but for where it finds its suites.
DRIVER = """
import sys
from pathlib import Path
from gnnbench.checks import suites
from gnnbench.cli import main, run
run_module = sys.modules["gnnbench.cli.run"]
suites.suites_folder = run_module.suites_folder = lambda: Path(sys.argv[1])
run_module.suite_names = lambda: ("environment", "memory")
main(sys.argv[2:])
"""

CHECKS = """
import os, signal, time
from gnnbench.checks import check, fail, not_applicable

@check()
def test_first():
    pass

@check()
def test_second():
    BODY

@check()
def test_third():
    pass
"""


@pytest.fixture
def project(tmp_path):
    """A folder with two small suites and a way to run the command on them."""
    return Project(tmp_path)


class Project:
    def __init__(self, folder):
        self.folder = folder
        self.suites = folder / "suites"
        (folder / "quick_plugin.py").write_text(QUICK_PLUGIN)
        self.write("environment")
        self.write("memory")
        (self.suites / "environment" / "test_required.py").touch()

    def write(self, suite, body="pass"):
        place = self.suites / suite
        place.mkdir(parents=True, exist_ok=True)
        for package in (self.suites, place):
            (package / "__init__.py").touch()
        (place / "test_sample.py").write_text(CHECKS.replace("BODY", body))

    def command(self, *arguments):
        ours, _, theirs = " ".join(arguments).partition("--- ")
        driver = [sys.executable, "-c", DRIVER, str(self.suites), "run", "--no-charts", *ours.split()]
        return [*driver, "--", "-p", "quick_plugin", *theirs.split()]

    def environment(self, **more):
        paths = [str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}

    def run(self, *arguments, **environment):
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *arguments):
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def document(self):
        (path,) = self.folder.glob("reports/*/run.json")
        return load(path)

    def wait_for(self, found, seconds=60):
        """Wait until a document is there for which `found` holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            paths = list(self.folder.glob("reports/*/run.json"))
            if paths and found(load(paths[0])):
                return
            time.sleep(0.02)
        pytest.fail("the document never came to that")


def test_a_good_run(project):
    """Everything is left in the run's folder, the verdict is on stdout, the talk on stderr."""
    ended = project.run("--tier smoke")

    assert ended.returncode == ExitCode.GOOD
    (folder,) = project.folder.glob("reports/*")
    assert {path.name for path in folder.iterdir()} == {
        "run.json",
        "report.html",
        "junit.xml",
        "summary.md",
        "pytest.log",
    }
    assert project.document.invocation.tier == "smoke"
    assert project.document.id == folder.name
    assert "GOOD: 6 checks passed" in ended.stdout
    assert re.search(r"environment +3 passed", ended.stderr)
    assert "\x1b" not in ended.stdout + ended.stderr


def test_a_failing_run(project):
    """A failure is shown as it happens, and again in the verdict with what to do."""
    project.write("memory", 'fail("it leaks", expected="0 B", found="9 B", fix="mend the leak")')
    ended = project.run()

    assert ended.returncode == ExitCode.CHECK_FAILED
    assert "FAILED memory/sample/second\n      it leaks" in ended.stderr
    assert "NOT GOOD: 1 of 6 checks failed" in ended.stdout
    assert "mend the leak" in ended.stdout


def test_selection_and_requirements_reach_pytest(project):
    """--suite, -k and --require do what they say; exit code 12 where what is required is absent."""
    project.write("memory", 'not_applicable("no GPU here", needs="cuda")')
    ended = project.run("--suite memory -k second --require cuda:2")

    assert ended.returncode == ExitCode.CONTRACT_UNMET
    assert project.document.results[0].id == "memory/sample/second"
    assert project.document.results[0].finding.required
    assert "required but absent: cuda" in ended.stdout


def test_targets_reach_pytest(project):
    """--target is judged whatever --suite and -k leave out, and recorded as it was meant."""
    (project.suites / "environment" / "test_audit.py").write_text(
        "import pytest\n"
        "from gnnbench.checks import check, fail\n"
        "@check()\n"
        "@pytest.mark.parametrize('target', ['sm_90'])\n"
        "def test_target(target):\n"
        "    fail('no code for it')\n"
        "@check()\n"
        "def test_other():\n"
        "    pass\n"
    )
    ended = project.run("--suite memory -k second --target H100")

    assert ended.returncode == ExitCode.CHECK_FAILED
    assert project.document.invocation.targets == ("sm_90",)
    assert [result.id for result in project.document.results] == [
        "environment/audit/target[sm_90]",
        "memory/sample/second",
    ]


def test_arguments_after_dashes_go_to_pytest(project):
    """`-- -x` stops at the first failure, as pytest does."""
    project.write("environment", "assert 0")
    ended = project.run("--- -x")

    assert ended.returncode == ExitCode.CHECK_FAILED
    assert project.document.state is RunState.INTERRUPTED
    assert len(project.document.unfinished) == 4


def test_collect_only_runs_nothing(project):
    """What only asks pytest a question gets pytest's answer, and leaves no run behind."""
    ended = project.run("--- --collect-only -q")

    assert ended.returncode == ExitCode.GOOD
    assert "test_sample.py::test_second" in ended.stdout
    assert list(project.folder.glob("reports/*")) == []


def test_json_to_stdout(project):
    """With `--json -` stdout holds the document and nothing else."""
    ended = project.run("--json -")

    assert json.loads(ended.stdout)["id"] == project.document.id
    assert "GOOD: 6 checks passed" in ended.stderr


def test_json_to_a_file(project):
    """With `--json PATH` the document is there too."""
    project.run("--json copy.json")

    assert load(project.folder / "copy.json") == project.document


def test_github(project):
    """Under GitHub Actions the summary is appended and the failure annotated."""
    project.write("memory", 'fail("it leaks: 100%")')
    summary = project.folder / "summary"
    summary.write_text("before\n")
    ended = project.run(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))

    assert summary.read_text().startswith("before\n")
    assert "it leaks" in summary.read_text()
    assert re.search(r"^::error .*it leaks: 100%25", ended.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            "--suite kernel",
            "--suite: expected one of environment, memory, found 'kernel'; gnnbench run --help says more",
        ),
        (
            "--suite memroy",
            "--suite: expected one of environment, memory, found 'memroy'; did you mean memory?",
        ),
        ("--suite ,", "--suite: expected a suite, found ','; leave --suite out to mean the default"),
        (
            "--device=",
            "--device: expected cpu, cuda or cuda:N, found ''; leave --device out to mean the default",
        ),
        (
            "--require ,",
            "--require: expected cuda, cuda:N, dataset:NAME or package:NAME, found ','; leave --require out to mean "
            "the default",
        ),
        (
            "--require gpu",
            "--require: expected cuda, cuda:N, dataset:NAME or package:NAME, found 'gpu'; gnnbench run --help says more",
        ),
        (
            "--target sm_90,gfx942",
            "--target: expected a GPU such as sm_90, 9.0 or H100, found 'gfx942'; gnnbench run --help says more",
        ),
        (
            "--data nowhere",
            "--data: expected a folder of data sets, found nothing at 'nowhere'; gnnbench run --help says more",
        ),
        (
            "--json nowhere/x.json",
            "--json: expected a file in a folder that can be written to, found 'nowhere/x.json'; gnnbench run --help "
            "says more",
        ),
        (
            "--output /proc/nowhere",
            "--output: expected a folder that can be written to, found '/proc/nowhere': No such file or directory; "
            "gnnbench run --help says more",
        ),
        (
            "--tier huge",
            "--tier: expected one of smoke, standard, full, soak, found 'huge'; gnnbench run --help says more",
        ),
        ("--teir full", "expected an option of gnnbench run, found '--teir'; did you mean "),
        (
            "memory",
            "expected options, found 'memory'; a suite is named by --suite, and what is meant for pytest stands after --",
        ),
        (
            "--- --no-such-option",
            "expected options that pytest has after --, found unrecognized arguments: --no-such-option; pytest --help "
            "lists them",
        ),
        ("-k (", "-k: expected names of checks joined by and, or, not, found ("),
        (
            "--- -p nowhere",
            "-p nowhere: expected a module that can be imported, found No module named 'nowhere'; call gnnbench from "
            "the folder that holds it, or name that folder in PYTHONPATH",
        ),
    ],
)
def test_mistakes_are_one_line(project, arguments, complaint):
    """A mistake is exit code 4 and one line: where, expected, found, what to do. No folder is left."""
    ended = project.run(arguments)

    assert ended.returncode == ExitCode.USAGE_ERROR
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"gnnbench: {complaint}")
    assert ended.stdout == ""
    assert list(project.folder.glob("reports/*")) == []


def test_case_does_not_matter(project):
    """Suites, tiers and kinds of requirement are found in upper case too."""
    ended = project.run("--suite Memory --tier SMOKE --require Package:pytest")

    assert project.document.invocation.suites == ("memory",)
    assert project.document.invocation.tier == "smoke"
    assert project.document.invocation.require == ("package:pytest",)
    assert ended.returncode == ExitCode.INCONCLUSIVE  # nothing here judges what is required


@pytest.mark.parametrize("arguments", ["-k xyzzy", "--- -k xyzzy"])
def test_a_keyword_that_matches_nothing_is_named(project, arguments):
    """Wherever it stands: the answer says -k, and how many checks it left out."""
    ended = project.run(f"--tier smoke {arguments}")

    assert ended.returncode == ExitCode.NO_CHECKS == project.document.exit_code
    assert "NOTHING JUDGED: no check of tier smoke matches -k xyzzy" in ended.stdout
    assert "No check ran. Left out: 6 by -k xyzzy." in ended.stdout
    assert project.document.state is RunState.COMPLETE


def test_nothing_selected(project):
    """A selection that leaves nothing is exit code 5 with a document that says so."""
    ended = project.run("-k nothing_has_this_name")

    assert ended.returncode == ExitCode.NO_CHECKS
    assert "NOTHING JUDGED" in ended.stdout
    assert project.document.results == ()


@pytest.mark.parametrize(
    ("body", "why"),
    [("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"), ("os._exit(77)", "exit status 77")],
)
def test_a_crash_is_a_failure_of_the_check_that_crashed(project, body, why):
    """A check that takes the process down is named; what ran before it is kept, what did not is listed."""
    project.write("environment", body)
    ended = project.run()
    run = project.document

    assert ended.returncode == ExitCode.CHECK_FAILED
    assert run.state is RunState.CRASHED
    assert run.ended_by == f"{why} in environment/sample/second"
    assert [(result.id, result.outcome) for result in run.results] == [
        ("environment/sample/first", Outcome.PASSED),
        ("environment/sample/second", Outcome.FAILED),
    ]
    assert len(run.unfinished) == 4
    assert why in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption(project, number):
    """Ctrl-C and SIGTERM end the run with exit code 2, its document and its report."""
    project.write("environment", "time.sleep(60)")
    with project.start() as command:
        project.wait_for(lambda run: run.collected == 6)
        time.sleep(0.5)
        command.send_signal(number)
        said = command.stderr.read()
        assert command.wait(timeout=60) == ExitCode.INTERRUPTED
    run = project.document

    assert run.state is RunState.INTERRUPTED
    assert "environment/sample/third" in run.unfinished
    assert list(project.folder.glob("reports/*/report.html"))
    assert "Traceback" not in said


def test_interruption_in_the_background(project):
    """A script starts `gnnbench run &` with SIGINT ignored; asked to stop, it does so at once all the same."""
    project.write("environment", "time.sleep(25)")
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = project.start()
    finally:
        signal.signal(signal.SIGINT, handler)
    with command:
        project.wait_for(lambda run: run.collected == 6)
        time.sleep(0.5)
        command.send_signal(signal.SIGTERM)
        command.stderr.read()
        assert command.wait(timeout=60) == ExitCode.INTERRUPTED

    assert project.document.state is RunState.INTERRUPTED


def test_sigkill_at_any_moment_leaves_a_valid_document(project):
    """Killed with its child at random moments, the command never leaves a corrupt run.json."""
    project.write("environment", "time.sleep(0.4)")
    chance = random.Random(20261124)
    states = set()
    for _ in range(6):
        with project.start() as command:
            project.wait_for(lambda run: True)
            time.sleep(chance.uniform(0, 1.6))
            # The child has a session of its own; pgrep-free, by what the kernel knows.
            for process in children_of(command.pid):
                os.kill(process, signal.SIGKILL)
            command.kill()
        (path,) = project.folder.glob("reports/*/run.json")
        states.add(load(path).state)
        for left in path.parent.iterdir():
            left.unlink()
        path.parent.rmdir()

    assert RunState.RUNNING in states


def children_of(pid):
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return []


def test_a_killed_child_is_told_by_the_command(project):
    """Where the kernel kills the child alone, the command finishes the document."""
    project.write("environment", "time.sleep(60)")
    with project.start() as command:
        project.wait_for(lambda run: run.collected == 6)
        time.sleep(0.5)
        for process in children_of(command.pid):
            os.kill(process, signal.SIGKILL)
        assert command.wait(timeout=60) == ExitCode.CHECK_FAILED

    assert project.document.ended_by == "SIGKILL in environment/sample/second"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["report", "--help"], ["replay", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(arguments):
    """Help is for machines without torch, and for people in a hurry."""
    code = (
        "import sys\n"
        "from gnnbench.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n"
        "    heavy = {'torch', 'torch_geometric', 'numpy', 'scipy', 'altair', 'vl_convert'} & set(sys.modules)\n"
        "    print('heavy:', sorted(heavy))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0
    assert ended.stdout.endswith("heavy: []\n")


def test_a_crash_on_the_way_out_is_a_warning(project):
    """A library that crashes when the process leaves spoils no result, and is not hidden."""
    project.write("memory", "import atexit; atexit.register(os.kill, os.getpid(), signal.SIGSEGV)")
    ended = project.run()

    assert ended.returncode == ExitCode.GOOD
    assert project.document.state is RunState.COMPLETE
    assert project.document.warnings == ("the process died by SIGSEGV on its way out, after the last check",)
    (report,) = project.folder.glob("reports/*/report.html")
    assert "on its way out" in report.read_text()


def test_the_folder_of_the_caller_hides_nothing(project):
    """Called from a folder with a `torch` or a `pytest.ini` in it, the run is on the installed packages."""
    caller = project.folder / "caller"
    for name in ("torch", "gnnbench", "_pytest"):
        (caller / name).mkdir(parents=True)
        (caller / name / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    (caller / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (caller / "conftest.py").write_text("raise RuntimeError('not ours')\n")
    (caller / "my_plugin.py").write_text("import gnnbench, torch\n")
    project.write("memory", "import torch; assert torch.ones(1)")
    command = project.command(f"--suite memory --output {project.folder / 'reports'} --- -p my_plugin")
    # The driver of these tests is itself started with -c; the command as installed is not.
    command[2] = "import sys; sys.path.remove('')\n" + command[2]
    ended = subprocess.run(
        command, cwd=caller, env=project.environment(), capture_output=True, text=True, check=False
    )

    assert ended.returncode == ExitCode.GOOD, ended.stderr
    assert project.document.count(Outcome.PASSED) == 3


def test_advice_fits_an_exception(project):
    """A check that raised is told where; the advice its declaration has for a wrong number is not given."""
    project.write("memory", "raise LookupError('kaboom')")
    project.run("--suite memory")
    finding = project.document.with_outcome(Outcome.FAILED)[0].finding

    assert finding.summary == "LookupError: kaboom"
    assert re.search(r"raised at test_sample\.py:\d+", finding.cause)
    assert "log" in finding.fix


@pytest.mark.parametrize(
    ("plugin", "code", "words"),
    [
        ("import os; os._exit(0)", ExitCode.INTERNAL_ERROR, "CRASHED by exit status 0 outside any check"),
        (
            "import os\ndef pytest_runtest_call():\n    os._exit(0)",
            ExitCode.CHECK_FAILED,
            "CRASHED by exit status 0 in environment/sample/first",
        ),
        (
            "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems(items):\n    del items[1:]",
            ExitCode.GOOD,
            "GOOD: 1 check passed",
        ),
        (
            "import pytest\ndef pytest_runtest_setup(item):\n"
            "    if 'third' in item.name:\n        pytest.exit('bye', returncode=0)",
            ExitCode.INTERRUPTED,
            "INTERRUPTED by whoever ended the session",
        ),
        ("raise RuntimeError('kaboom')", ExitCode.INTERNAL_ERROR, "CRASHED by exit status"),
    ],
    ids=["leaves_at_import", "leaves_in_a_check", "removes_items", "ends_the_session", "does_not_load"],
)
def test_no_false_green(project, plugin, code, words):
    """A child that leaves early, however politely, is never taken for a run that was good."""
    (project.folder / "rude.py").write_text(plugin + "\n")
    ended = project.run("--- -p rude")

    assert ended.returncode == code
    assert words in ended.stdout + ended.stderr
    if "del items" in plugin:
        assert project.document.deselected == {"another plugin": 5}


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        (
            "raise RuntimeError('kaboom')",
            "exit status 3 outside any check (plugin rude: RuntimeError: kaboom)",
        ),
        (
            "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems():\n    raise LookupError('kaboom')",
            "an internal error of pytest or of a plugin (LookupError: kaboom)",
        ),
    ],
    ids=["at_import", "in_a_hook"],
)
def test_what_stopped_pytest_is_in_the_verdict(project, plugin, why):
    """In terminal, page and summary, without a look into pytest.log."""
    (project.folder / "rude.py").write_text(plugin + "\n")
    ended = project.run("--- -p rude")
    (summary,) = project.folder.glob("reports/*/summary.md")

    assert ended.returncode == ExitCode.INTERNAL_ERROR
    assert ended.stdout.startswith(f"CRASHED by {why}: 0 of ")
    assert project.document.ended_by == why
    assert "kaboom" in summary.read_text().splitlines()[0]
    assert "kaboom" in summary.with_name("report.html").read_text()
    assert "Mend what pytest.log ends with" in " ".join(ended.stdout.split())


@pytest.mark.parametrize("command", ["run", "replay", "prove", "report"])
def test_interruption_of_the_imports(tmp_path, command):
    """Ctrl-C while the command itself is being imported is one line and exit code 2."""
    (tmp_path / "click.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    ended = subprocess.run(
        [sys.executable, "-m", "gnnbench", command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (ExitCode.INTERRUPTED, "gnnbench: interrupted\n")


@pytest.mark.parametrize("command", ["run", "replay", "prove", "report"])
def test_interruption_of_a_command_before_its_work(command):
    """Ctrl-C while one of the commands is being imported: the same."""
    code = (
        "import sys, signal\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == 'gnnbench.cli.{command}':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from gnnbench.cli import main\n"
        f"main(['{command}', 'x'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (ExitCode.INTERRUPTED, "gnnbench: interrupted\n")


def test_what_breaks_in_gnnbench_is_no_failed_check():
    """Python leaves with 1 after an exception, which is our word for a check that failed."""
    code = (
        "import gnnbench.cli.report as report\n"
        "report.document_path = lambda _: 1 / 0\n"
        "from gnnbench.cli import main\n"
        "main(['report', 'x'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.returncode == ExitCode.INTERNAL_ERROR
    assert "ZeroDivisionError" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["bogus"],
            "expected a command (run, report, prove, replay, snapshot, diff), found 'bogus'; gnnbench --help says more",
        ),
        (["--bogus"], "expected an option of gnnbench, found '--bogus'"),
        (["replay"], "expected RUN.json, found none; gnnbench replay --help says more"),
        (["run", "--tier"], "--tier: expected a value, found none"),
    ],
)
def test_mistakes_in_the_words_of_the_command(arguments, complaint):
    """The same shape, whoever notices it."""
    ended = subprocess.run(
        [sys.executable, "-m", "gnnbench", *arguments], capture_output=True, text=True, check=False
    )

    assert ended.returncode == ExitCode.USAGE_ERROR
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"gnnbench: {complaint}")


def test_habits_of_the_caller_have_no_say(project):
    """PYTEST_ADDOPTS and PYTEST_DISABLE_PLUGIN_AUTOLOAD don't change what is judged."""
    ended = project.run(PYTEST_ADDOPTS="--collect-only", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

    assert ended.returncode == ExitCode.GOOD
    assert "GOOD: 6 checks passed" in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_before_the_first_check(project, number):
    """Stopped while it imports and collects, a run was interrupted and did not crash."""
    place = project.suites / "environment" / "test_sample.py"
    place.write_text("import time; time.sleep(60)\n" + place.read_text())
    with project.start() as command:
        project.wait_for(lambda run: True)
        time.sleep(1.0)
        command.send_signal(number)
        assert command.wait(timeout=60) == ExitCode.INTERRUPTED

    assert project.document.state is RunState.INTERRUPTED


def test_the_verdict_survives_its_sinks(project):
    """A summary that can't be written is a line on stderr: code and verdict are those of the run."""
    project.write("memory", 'fail("it leaks")')
    ended = project.run(GITHUB_STEP_SUMMARY="/nonexistent/summary")

    assert ended.returncode == ExitCode.CHECK_FAILED
    assert "NOT GOOD: 1 of 6 checks failed" in ended.stdout
    assert "GITHUB_STEP_SUMMARY /nonexistent/summary: No such file" in ended.stderr


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", "2>&-", "2>/dev/full"])
def test_closed_and_full_streams(project, redirection):
    """A stream that is closed or full takes the words that go to it, and nothing else."""
    script = project.folder / "run.sh"
    script.write_text(f'exec "$@" {redirection}\n')
    ended = subprocess.run(
        ["bash", script, *project.command()],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == ExitCode.GOOD
    assert "Traceback" not in ended.stdout + ended.stderr
    assert project.document.state is RunState.COMPLETE


def test_a_long_check_is_named(project, monkeypatch):
    """Without a terminal, a check that takes long is named from time to time."""
    import io

    from gnnbench.cli import progress

    monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
    stream = io.StringIO()
    shown = progress.Progress(stream, color=False)
    shown.started("memory/sample/slow")
    time.sleep(0.01)
    shown.tick()

    assert "still in memory/sample/slow after 0 s" in stream.getvalue()
