"""gnnbench.plugin with a contract: its clauses are checks, and what it asks for is what other checks may not lack."""

import shutil

import pytest
import torch  # noqa: F401  # pytester forgets modules that a session imported; this one can't be loaded twice
from contracts import FOUR_GPUS, HEAD
from suite_runs import SUITES

from gnnbench.record import ExitCode, Outcome, load, verdict

SAMPLE = """
from gnnbench.checks import check, not_applicable

@check()
def test_pass():
    pass

@check(fix="install it")
def test_scatter():
    not_applicable("no torch_scatter here", needs="package:torch_scatter")

@check()
def test_second_gpu():
    not_applicable("one GPU alone", needs="cuda:2")

@check()
def test_odd():
    not_applicable("the backend declines", needs="backend:odd")
"""


#: The check asks the suite for a fork server, so that facts are read by it. Here they are given.
FORK_SERVER = """
import pytest

@pytest.fixture(scope="session")
def fork_server():
    return None
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The environment is one with four GPUs; drawing reports is other modules' business."""
    monkeypatch.setattr("gnnbench.environment.collect", lambda **_: FOUR_GPUS)
    monkeypatch.setattr("gnnbench.report.write_reports", lambda *_: [])


@pytest.fixture
def hold(pytester):
    """Hold a small suite, and the real check of contracts, to a text; gives pytest's result and the document."""

    def run(text, *arguments, suite="environment", judge=True):
        folder = pytester.mkpydir(suite)
        (folder / "test_sample.py").write_text(SAMPLE)
        if judge:
            own = folder if suite == "environment" else pytester.mkpydir("environment")
            shutil.copy(SUITES / "environment" / "test_contract.py", own)
            (own / "conftest.py").write_text(FORK_SERVER)
        (pytester.path / "c.toml").write_text(HEAD + text)
        ended = pytester.runpytest_inprocess(
            "-p", "no:cacheprovider", "--gnnbench-contract=c.toml", *arguments
        )
        documents = list(pytester.path.glob("reports/*/run.json"))
        return ended, load(documents[0]) if documents else None

    return run


def by_id(run):
    return {result.id.partition("/")[2]: result for result in run.results}


def test_a_contract_that_holds(hold):
    """Each clause is a check that passed, and the document says what the image was held to."""
    ended, run = hold("[packages]\ntorch = '>=2.8'\n[limits]\nshm_size = '1 GiB'")

    assert ended.ret == ExitCode.GOOD
    assert run.invocation.contract == "c.toml"
    assert by_id(run)["contract/holds[packages.torch]"].outcome is Outcome.PASSED
    assert by_id(run)["contract/holds[limits.shm_size]"].facts == {
        "expected": "at least 1 GiB",
        "found": "1.00 GiB",
    }
    assert by_id(run)["sample/odd"].outcome is Outcome.NOT_APPLICABLE


def test_a_contract_that_does_not(hold):
    """The clause alone is red, as unmet: exit code 12, line and key, what to do, and a headline that names it."""
    ended, run = hold("[packages]\ntorch = '>=2.9'\n[limits]\nshm_size = '2 GiB'\nmemlock = 'unlimited'")
    failed = by_id(run)["contract/holds[limits.shm_size]"]

    assert ended.ret == run.exit_code == ExitCode.CONTRACT_UNMET
    assert failed.outcome is Outcome.FAILED
    assert failed.finding.required
    assert failed.finding.summary == "c.toml:5: limits.shm_size: expected at least 2 GiB, found 1.00 GiB"
    assert "--shm-size" in failed.finding.fix
    assert "change line 5 of c.toml" in failed.finding.fix
    assert verdict(run).headline == "NOT GOOD: contract not met: packages.torch, limits.shm_size (2 checks)"
    assert by_id(run)["contract/holds[limits.memlock]"].outcome is Outcome.PASSED


def test_what_could_not_be_read_is_inconclusive(hold):
    """Neither held nor broken: exit code 13."""
    ended, run = hold("[limits]\naddress_space = '1 GiB'")
    result = by_id(run)["contract/holds[limits.address_space]"]

    assert ended.ret == ExitCode.INCONCLUSIVE
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "c.toml:3: limits.address_space" in result.finding.summary
    assert "PermissionError: no" in result.finding.summary


@pytest.mark.parametrize(
    "arguments",
    [("-k", "pass"), ("--deselect", "environment/test_contract.py"), ("--gnnbench-suite", "memory")],
)
def test_it_is_out_of_reach_of_selections(hold, arguments):
    """-k, --deselect and other suites do not leave a clause out: left out, it would hold."""
    ended, run = hold("[packages]\ntorch = '>=2.9'", *arguments, suite="memory")

    assert ended.ret == ExitCode.CONTRACT_UNMET
    assert by_id(run)["contract/holds[packages.torch]"].outcome is Outcome.FAILED


def test_a_clause_that_nobody_judged_is_inconclusive(hold):
    """Where the check of contracts is not collected, the contract does not simply hold."""
    ended, run = hold("[packages]\ntorch = '>=2'\n'torch-geometric' = true", judge=False)
    unjudged = by_id(run)["contract/holds[packages.torch]"]

    assert ended.ret == ExitCode.INCONCLUSIVE
    assert unjudged.outcome is Outcome.INCONCLUSIVE
    assert unjudged.finding.summary == (
        "c.toml:3: packages.torch asks for it, and the check that judges it was not run"
    )
    assert "test_contract.py" in unjudged.finding.fix


@pytest.mark.parametrize(
    ("text", "failed", "where"),
    [
        ("[packages]\ntorch-scatter = '>=2'", "scatter", "c.toml:3: packages.torch-scatter: expected package:torch-scatter"),
        ("[extensions]\nwork = [\n'torch_scatter']", "scatter", "c.toml:4: extensions.work[torch_scatter]: expected package:"),
        ("[hardware]\ngpu_count = 4", "second_gpu", "c.toml:3: hardware.gpu_count: expected cuda:4"),
        ("[hardware]\ngpu_count = 1", None, ""),
    ],
)  # fmt: skip
def test_what_it_asks_for_no_check_may_lack(hold, monkeypatch, text, failed, where):
    """A check that is not applicable for want of what the contract asks for is a failure that names the line."""
    from contracts import EXPECTED

    from gnnbench.environment import FACTS, FactSpec, registry

    missing = [key for key in EXPECTED if key not in {spec.key for spec in FACTS}]
    more = tuple(FactSpec(key, key, lambda: None, rule=EXPECTED[key].rule) for key in missing)
    monkeypatch.setattr("gnnbench.environment.FACTS", (*registry.FACTS, *more))
    _, run = hold(text)
    red = {
        name for name, result in by_id(run).items() if result.outcome is Outcome.FAILED and "sample" in name
    }

    assert red == ({f"sample/{failed}"} if failed else set())
    if failed:
        finding = by_id(run)[f"sample/{failed}"].finding
        assert finding.summary.startswith(where)
        assert finding.required


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_checks_that_may_not_be_without_anything_to_judge(hold, workers):
    """Of a suite that is listed, every check that is not applicable and not in the list fails and names its line."""
    ended, run = hold(
        "[not_applicable]\nprecision = []\nenvironment = [\n'sample/sc*', 'sample/second_gpu']",
        *workers,
        judge=False,
    )
    found = {name.partition("/")[2]: result for name, result in by_id(run).items()}

    assert ended.ret == ExitCode.CONTRACT_UNMET
    ended.assert_outcomes(passed=1, failed=1)
    assert {name for name, result in found.items() if result.outcome is Outcome.FAILED} == {"odd"}
    assert found["odd"].finding.summary == (
        "c.toml:4: not_applicable.environment: expected sample/odd to have something to judge, found the backend declines"
    )
    assert 'add "sample/odd" to c.toml:4' in found["odd"].finding.fix
    assert found["odd"].finding.needs == "contract:not_applicable.environment"


def test_the_ini_value_is_read(hold, pytester):
    """`gnnbench_contract` in an ini file is the same; an empty option is a mistake, and not no contract."""
    pytester.makeini("[pytest]\ngnnbench_contract = nowhere.toml")
    ended = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    empty = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--gnnbench-contract=")

    assert ended.ret == empty.ret == ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines(["*nowhere.toml: expected a contract, found none: No such file or directory*"])
    empty.stderr.fnmatch_lines(["*--gnnbench-contract: expected a file, found ''; leave the option out*"])


def test_a_mistake_in_it_ends_the_session_before_any_check(hold):
    """One line, exit code 4, no document."""
    ended, run = hold("[packages]\ntorch = 2")

    assert (ended.ret, run) == (ExitCode.USAGE_ERROR, None)
    ended.stderr.fnmatch_lines(["ERROR: c.toml:3: packages.torch: expected a version specifier*, found 2"])


def test_facts_are_read_once(hold, monkeypatch):
    """The document and the checks have the same."""
    calls = []
    monkeypatch.setattr("gnnbench.environment.collect", lambda **_: calls.append(1) or FOUR_GPUS)
    hold("[packages]\ntorch = true\n[limits]\nmemlock = 1")

    assert calls == [1]
