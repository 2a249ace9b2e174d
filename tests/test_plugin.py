"""gnnbench.plugin: a pytest session becomes a run, the same with and without pytest-xdist."""

import json

import pytest
import torch  # noqa: F401  # pytester forgets modules that a session imported; this one can't be loaded twice

from gnnbench.record import Environment, ExitCode, Outcome, RunState, load

SAMPLE = '''
"""A suite that ends in every way a check can end."""
import pytest
from gnnbench.checks import check, fail, inconclusive, not_applicable, tier

@check(catches=["F01"])
def test_pass(evidence):
    """It is as it should be.

    And more that no title needs."""
    evidence.margin("forward", error=1, bound=4, rule="componentwise", where="node 3")
    evidence.measure("time", [0.5, 0.25], unit="s", direction="lower", device="cpu", workload="w", size=3)
    evidence.fact("seen", [1, "two"])

@check(fix="mend it")
def test_fail(evidence):
    evidence.margin("forward", error=float("nan"), bound=1)
    fail("it differs", expected="1", found="2", cause="a dropped edge")

@check(fix="mend it")
def test_assert():
    assert 1 == 2

@check()
def test_raise():
    raise RuntimeError("CUDA error: an illegal memory access\\nmore")

@check()
def test_unclear():
    inconclusive("too noisy", fix="make it quiet")

@check()
def test_not_here():
    not_applicable("no GPU", needs="cuda")

@check()
def test_bare_skip():
    pytest.skip("not today")

@check()
@pytest.mark.xfail(reason="known")
def test_xfail():
    assert False

@pytest.fixture
def broken():
    raise OSError("no such device")

@check()
def test_setup(broken):
    pass

@pytest.fixture
def leaky():
    yield
    raise OSError("can not let go")

@check()
def test_teardown(leaky):
    pass

@check(tier="full")
def test_late():
    pass

@check()
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=tier("soak"))])
def test_tiers(n):
    pass

@check(tier="full")
@pytest.mark.parametrize("n", [pytest.param(1, marks=tier("smoke"))])
def test_never_earlier(n):
    pass

def test_no_check():
    pass
'''

SAMPLE_OUTCOMES = {
    "environment/sample/pass": "passed",
    "environment/sample/fail": "failed",
    "environment/sample/assert": "failed",
    "environment/sample/raise": "failed",
    "environment/sample/unclear": "inconclusive",
    "environment/sample/not_here": "not_applicable",
    "environment/sample/bare_skip": "inconclusive",
    "environment/sample/xfail": "inconclusive",
    "environment/sample/setup": "failed",
    "environment/sample/teardown": "failed",
    "environment/sample/tiers[1]": "passed",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Reading the real environment and drawing reports are other modules' tests; here they take time."""
    monkeypatch.setattr("gnnbench.environment.collect", lambda **_: Environment())
    monkeypatch.setattr("gnnbench.report.write_reports", lambda *_: [])


@pytest.fixture
def suite(pytester):
    """A function that writes one file of checks into the folder of a suite."""

    def write(text, folder="environment"):
        path = pytester.mkpydir(folder) if not (pytester.path / folder).is_dir() else pytester.path / folder
        (path / "test_sample.py").write_text(text)
        return path

    return write


def run_in(pytester, *arguments):
    """Run pytest on everything and return (pytest's result, the document or None)."""
    ended = pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)
    documents = list(pytester.path.glob("reports/*/run.json"))
    assert len(documents) <= 1
    return ended, load(documents[0]) if documents else None


def result_of(run, name):
    return next(result for result in run.results if result.id.endswith(f"/{name}"))


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_every_outcome(pytester, suite, workers):
    """Each way to end becomes its outcome, with the reason, in one process and in several."""
    suite(SAMPLE)
    ended, run = run_in(pytester, *workers)

    assert {result.id: result.outcome.value for result in run.results} == SAMPLE_OUTCOMES
    assert run.state is RunState.COMPLETE
    assert run.exit_code == ended.ret == ExitCode.CHECK_FAILED
    assert run.collected == len(SAMPLE_OUTCOMES)
    assert run.deselected == {"tier": 3}
    assert run.unfinished == ()
    assert run.invocation.workers == (2 if workers else 0)
    assert {bool(result.worker) for result in run.results} == {bool(workers)}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_evidence_travels(pytester, suite, workers):
    """Margins, measurements, facts, title and faults arrive in the document."""
    suite(SAMPLE)
    _, run = run_in(pytester, "-k", "pass or test_fail", *workers)
    passed, failed = result_of(run, "pass"), result_of(run, "fail")

    assert passed.title == "It is as it should be."
    assert passed.catches == ("F01",)
    assert passed.margins[0].ratio == 0.25
    assert passed.measurements[0].samples == (0.5, 0.25)
    assert passed.measurements[0].params == {"size": 3}
    assert passed.facts == {"seen": [1, "two"]}
    assert passed.finding is None
    assert failed.margins[0].ratio == float("inf")


def test_findings_say_why(pytester, suite):
    """What a check says of its failure arrives; what it leaves out is filled in from its declaration."""
    suite(SAMPLE)
    _, run = run_in(pytester)
    findings = {result.id.rpartition("/")[2]: result.finding for result in run.results}

    assert (findings["fail"].expected, findings["fail"].found) == ("1", "2")
    assert findings["fail"].cause == "a dropped edge"
    assert findings["fail"].fix == findings["assert"].fix == "mend it"
    assert findings["assert"].summary == "AssertionError: assert 1 == 2"
    assert findings["raise"].summary == "RuntimeError: CUDA error: an illegal memory access"
    assert findings["unclear"].fix == "make it quiet"
    assert findings["not_here"].needs == "cuda"
    assert findings["bare_skip"].summary == "not today"
    assert findings["xfail"].summary == "known"
    assert findings["setup"].summary == "in setup: OSError: no such device"
    assert findings["teardown"].summary == "in teardown: OSError: can not let go"
    assert "test_sample.py" in result_of(run, "raise").log


def test_ids_do_not_depend_on_the_root(pytester, suite):
    """The same check has the same id from every folder and under every root."""
    folder = suite(SAMPLE)
    _, run = run_in(pytester, f"--rootdir={folder}", str(folder), "-k", "pass")

    assert [result.id for result in run.results] == ["environment/sample/pass"]


def test_pytest_names_our_outcomes(pytester, suite):
    """pytest's own terminal counts what could not judge apart from what passed."""
    suite(SAMPLE)
    ended, _ = run_in(pytester, "-k", "unclear or not_here or pass")

    ended.stdout.fnmatch_lines(
        ["*INCONCLUSIVE: 1 check could not judge*", "*1 passed*1 inconclusive, 1 not applicable in *"]
    )


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
@pytest.mark.parametrize(
    ("keyword", "more", "code"),
    [
        ("pass", [], ExitCode.GOOD),
        ("pass or test_fail", [], ExitCode.CHECK_FAILED),
        ("pass or unclear", [], ExitCode.INCONCLUSIVE),
        ("pass or bare_skip", [], ExitCode.INCONCLUSIVE),
        ("pass or not_here", [], ExitCode.GOOD),
        ("not_here", [], ExitCode.INCONCLUSIVE),
        ("pass or not_here", ["--gnnbench-require=cuda"], ExitCode.CONTRACT_UNMET),
        ("test_fail or not_here", ["--gnnbench-require=cuda:4"], ExitCode.CONTRACT_UNMET),
        # Another thing is lacking than what was required; whether that is there, nothing here has judged.
        ("pass or not_here", ["--gnnbench-require=dataset:Cora"], ExitCode.INCONCLUSIVE),
        ("pass or not_here", ["-o", "gnnbench_require=cuda"], ExitCode.CONTRACT_UNMET),
    ],
)
def test_exit_codes(pytester, suite, keyword, more, code, workers):
    """The exit code of pytest is the verdict's, and stands in the document."""
    suite(SAMPLE)
    ended, run = run_in(pytester, "-k", keyword, *more, *workers)

    assert ended.ret == run.exit_code == code


def test_required_and_absent_is_a_failure(pytester, suite):
    """What was required and is not there fails, for pytest as for the document."""
    suite(SAMPLE)
    ended, run = run_in(pytester, "-k", "not_here", "--gnnbench-require=cuda")

    ended.assert_outcomes(failed=1)
    assert run.results[0].outcome is Outcome.FAILED
    assert run.results[0].finding.required
    assert run.invocation.require == ("cuda",)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_selection(pytester, suite, workers):
    """Other suites and larger tiers are left out, and the document says how many, and why."""
    suite(SAMPLE)
    suite(SAMPLE, "memory")
    _, run = run_in(
        pytester, "--gnnbench-suite=memory", "--gnnbench-tier=full", "-k", "pass or late or tiers", *workers
    )

    assert sorted(result.id for result in run.results) == [
        "memory/sample/late",
        "memory/sample/pass",
        "memory/sample/tiers[1]",
    ]
    assert run.deselected == {"suite": 14, "tier": 1, "keyword": 10}


def test_a_file_that_can_not_be_imported_fails(pytester, suite):
    """Where a file of checks can't be collected, the run is red and says which package is lacking."""
    suite("import a_package_that_is_not_there\n")
    suite(SAMPLE, "memory")
    ended, run = run_in(pytester, "--continue-on-collection-errors", "-k", "pass")

    broken = result_of(run, "sample")
    assert broken.id == "environment/sample"
    assert "No module named 'a_package_that_is_not_there'" in broken.finding.summary
    assert result_of(run, "pass").outcome is Outcome.PASSED
    assert ended.ret == run.exit_code == ExitCode.CHECK_FAILED


def test_an_interrupted_run_says_so(pytester, suite):
    """Ctrl-C leaves a document with what there was, and with what there was not."""
    suite(SAMPLE.replace("raise RuntimeError", "raise KeyboardInterrupt"))
    # In a process of its own: pytester passes Ctrl-C on to whoever runs this test.
    pytester.makeconftest(
        "import gnnbench.environment, gnnbench.report\n"
        "from gnnbench.record import Environment\n"
        "gnnbench.environment.collect = lambda **_: Environment()\n"
        "gnnbench.report.write_reports = lambda *_: []\n"
    )
    ended = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    (path,) = pytester.path.glob("reports/*/run.json")
    run = load(path)

    assert run.state is RunState.INTERRUPTED
    assert ended.ret == run.exit_code == ExitCode.INTERRUPTED
    assert [result.id.rpartition("/")[2] for result in run.results] == ["pass", "fail", "assert"]
    assert "environment/sample/unclear" in run.unfinished
    assert run.collected == len(SAMPLE_OUTCOMES)


def test_stopping_at_the_first_failure_is_no_complete_run(pytester, suite):
    """With -x the checks that never ran are named."""
    suite(SAMPLE)
    ended, run = run_in(pytester, "-x")

    assert run.state is RunState.INTERRUPTED
    assert run.ended_by == "stopping after 1 failures"
    assert ended.ret == run.exit_code == ExitCode.CHECK_FAILED
    assert len(run.unfinished) == len(SAMPLE_OUTCOMES) - 2


def test_a_worker_that_dies_is_a_failure(pytester, suite):
    """A check that takes its pytest-xdist worker down is failed, the others are judged."""
    suite(SAMPLE.replace("raise RuntimeError", "import os; os._exit(9); raise RuntimeError"))
    ended, run = run_in(pytester, "-n", "2")

    lost = result_of(run, "raise")
    assert lost.outcome is Outcome.FAILED
    assert "process died" in lost.finding.summary
    assert {result.id for result in run.results} == set(SAMPLE_OUTCOMES)
    assert ended.ret == ExitCode.CHECK_FAILED


def test_the_document_is_there_while_checks_run(pytester, suite):
    """Whoever looks while the run goes on finds a valid document in state running."""
    suite("""
        import pathlib, time
        from gnnbench.checks import check
        from gnnbench.record import RunState, load

        @check()
        def test_first():
            time.sleep(0.6)

        @check()
        def test_look():
            path, = pathlib.Path("reports").glob("*/run.json")
            run = load(path)
            assert run.state is RunState.RUNNING
            assert run.unfinished[-1] == "environment/sample/look"
            assert run.exit_code is None
    """.replace("\n        ", "\n"))  # fmt: skip
    ended, run = run_in(pytester)

    assert ended.ret == 0
    assert run.state is RunState.COMPLETE
    assert run.finished_at >= run.started_at


def test_sessions_without_checks_write_nothing(pytester):
    """The plugin leaves no trace in a session that has nothing to do with it."""
    pytester.makepyfile("def test_it():\n    pass\n")
    ended, run = run_in(pytester)

    ended.assert_outcomes(passed=1)
    assert run is None
    assert not (pytester.path / "reports").exists()


def test_output_none_writes_nothing(pytester, suite):
    """`--gnnbench-output=none` runs the checks and leaves no files."""
    suite(SAMPLE)
    ended, run = run_in(pytester, "--gnnbench-output=none", "-k", "pass")

    assert ended.ret == 0
    assert run is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--gnnbench-tier=huge"],
            "--gnnbench-tier: expected a tier (smoke, standard, full, soak), found 'huge'",
        ),
        (["--gnnbench-require=gpu"], "--gnnbench-require: expected cuda, cuda:N, *found 'gpu'"),
        (
            ["--gnnbench-target=sm_x"],
            "--gnnbench-target: expected a GPU such as sm_90, 9.0 or H100, found 'sm_x'",
        ),
        (["--gnnbench-target=sm_90,35"], "--gnnbench-target: expected a GPU such as sm_90, *found '35'"),
        (["--gnnbench-require=cuda:0"], "--gnnbench-require: expected cuda, cuda:N, *found 'cuda:0'"),
        (
            ["--gnnbench-data=nowhere"],
            "--gnnbench-data: expected a folder of data sets, found nothing at nowhere",
        ),
        (["--gnnbench-run-id=../x"], "--gnnbench-run-id: expected letters, digits, - _ and ., found '../x'"),
        (["--gnnbench-device=cuda:99"], "--gnnbench-device: *cuda:99*"),
        (["--gnnbench-output=/proc/nowhere"], "--gnnbench-output: expected a folder that can be written to*"),
    ],
)
def test_wrong_options_are_one_line(pytester, suite, arguments, message):
    """A mistake on the command line is said in one line, with exit code 4, before anything runs."""
    suite(SAMPLE)
    ended, run = run_in(pytester, *arguments)

    assert ended.ret == ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert run is None


def test_parameters_go_to_checks_only(pytester):
    """A test of somebody else's that has a fixture called `device` keeps it."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def device():
            return "mine"

        def test_it(device):
            assert device == "mine"
        """
    )

    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_benchmark_json_knows_the_devices(pytester, suite):
    """pytest-benchmark's own JSON stays valid, and its machine_info names gnnbench and the devices."""
    suite("from gnnbench.checks import check\n@check()\ndef test_b(benchmark):\n    benchmark(int)\n")
    _, run = run_in(
        pytester, "--benchmark-json=out.json", "--benchmark-max-time=0.01", "--benchmark-min-rounds=1"
    )
    data = json.loads((pytester.path / "out.json").read_text())

    assert run.results[0].outcome is Outcome.PASSED
    assert data["machine_info"]["gnnbench"]["devices"] == []
    assert data["benchmarks"][0]["stats"]["rounds"] >= 1


def test_xdist_with_warnings_as_errors(pytester, suite):
    """pytest-benchmark's warning about pytest-xdist does not break a session that treats warnings as errors."""
    suite("from gnnbench.checks import check\n@check()\ndef test_b(benchmark):\n    benchmark(int)\n")
    ended, run = run_in(pytester, "-n", "2", "-W", "error")

    assert ended.ret == 0
    assert run.results[0].outcome is Outcome.PASSED


def test_a_margin_beyond_its_bound_is_never_passed(pytester, suite):
    """A check that records a margin and forgets to judge it is red."""
    suite(
        "from gnnbench.checks import check\n"
        "@check()\n"
        "def test_forgetful(evidence):\n"
        "    evidence.margin('dW', error=5, bound=1)\n"
    )
    _, run = run_in(pytester)

    assert run.results[0].outcome is Outcome.FAILED
    assert "forgets to judge" in run.results[0].finding.cause


def test_a_requirement_that_nobody_judged_is_inconclusive(pytester, suite):
    """Where the check that judges --require is not collected, the requirement does not simply hold."""
    suite(SAMPLE)
    ended, run = run_in(pytester, "-k", "pass", "--gnnbench-require=package:torch")

    assert ended.ret == ExitCode.INCONCLUSIVE
    assert result_of(run, "required[package:torch]").outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("how", ["option", "ini"])
def test_a_target_that_nobody_judged_is_inconclusive(pytester, suite, how):
    """Nor does a target hold where its check is not collected; each is recorded once, in one spelling."""
    suite(SAMPLE)
    words = "H100, sm_90a 10.0"
    more = [f"--gnnbench-target={words}"] if how == "option" else ["-o", f"gnnbench_target={words}"]
    ended, run = run_in(pytester, "-k", "pass", *more)

    assert ended.ret == ExitCode.INCONCLUSIVE
    assert run.invocation.targets == ("sm_90", "sm_100")
    for target in run.invocation.targets:
        result = result_of(run, f"audit/target[{target}]")
        assert result.outcome is Outcome.INCONCLUSIVE
        assert "suites/environment/test_audit.py" in result.finding.fix


def test_workers_that_all_die_are_no_empty_selection(pytester, suite):
    """pytest-xdist workers that die at their start are a crash, not a selection that left nothing."""
    suite(SAMPLE)
    pytester.makeconftest(
        "import os\ndef pytest_sessionstart(session):\n    hasattr(session.config, 'workerinput') and os._exit(0)\n"
    )
    ended, _ = run_in(pytester, "-n", "2", "--max-worker-restart=0")

    assert ended.ret == ExitCode.INTERNAL_ERROR


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_check_knows_its_run(pytester, suite, workers):
    """The document that is going to be written, and the plugins of the user's: what a replay needs. And a check that
    chooses its device itself says which.
    """
    # In a session within a session, workers don't find plugins in the folder of the test.
    plugins = () if workers else ("-p", "mine")
    pytester.makepyfile(mine="")
    pytester.syspathinsert()
    suite(
        "from gnnbench.checks import check\n"
        "from gnnbench.session import options_key\n"
        "@check()\n"
        "def test_it(evidence, pytestconfig):\n"
        "    options = pytestconfig.stash[options_key]\n"
        "    evidence.fact('folder', str(options.folder))\n"
        "    evidence.fact('plugins', options.plugins)\n"
        "    evidence.device = 'cuda:7'\n"
    )
    _, run = run_in(pytester, *plugins, "-p", "no:doctest", *workers)
    (path,) = pytester.path.glob("reports/*/run.json")

    assert run.results[0].facts == {"folder": str(path.parent), "plugins": list(plugins[1:])}
    assert run.results[0].device == "cuda:7"


@pytest.mark.parametrize("option", ["suite", "device", "require", "target"])
def test_an_option_without_a_word_is_a_mistake(pytester, suite, option):
    """`--gnnbench-require "$UNSET"` must not require nothing."""
    suite(SAMPLE)
    ended = pytester.runpytest_inprocess("-p", "no:cacheprovider", f"--gnnbench-{option}", " ,")

    assert ended.ret == ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines([f"*--gnnbench-{option}: expected a word, found none; leave the option out*"])
