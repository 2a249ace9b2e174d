"""gnnbench snapshot, then gnnbench run --contract: green on the same image, red where a line is falsified."""

import os
import re
import subprocess
import sys

import pytest
from contracts import FOUR_GPUS, result, run_of

from gnnbench.cli.commands import run_command
from gnnbench.record import ExitCode, Outcome, load, save


def gnnbench(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "gnnbench", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_same_image_keeps_it_and_a_falsified_line_does_not(tmp_path):
    """Through the real commands: snapshot, a run that is held to it, a run that is held to lines made false."""
    made = gnnbench(tmp_path, "snapshot", "-o", "contract.toml")
    kept = gnnbench(
        tmp_path,
        "run",
        "--suite",
        "environment",
        "--tier",
        "smoke",
        "--no-charts",
        "--contract",
        "contract.toml",
    )
    text = (tmp_path / "contract.toml").read_text()
    lines = {
        "packages.torch": re.compile(r'^torch = "==.*"$', re.MULTILINE),
        "limits.nofile": re.compile(r"^nofile = \d+$", re.MULTILINE),
    }
    false = text
    for key, line in lines.items():
        false = line.sub('torch = ">=99"' if key.endswith("torch") else "nofile = 99999999", false)
    (tmp_path / "false.toml").write_text(false.replace('    "gpu/driver",\n', ""))
    number = {key: text[: line.search(text).start()].count("\n") + 1 for key, line in lines.items()}
    broken = gnnbench(
        tmp_path,
        *("run", "--suite", "environment", "--tier", "smoke", "--contract", "false.toml", "--no-charts"),
        NCCL_DEBUG="WARN",
    )
    run = load(max(tmp_path.glob("reports/*/run.json")))
    failed = {one.id: one.finding.summary for one in run.with_outcome(Outcome.FAILED)}
    page = max(tmp_path.glob("reports/*/report.html")).read_text()

    assert made.returncode == ExitCode.GOOD, made.stderr
    assert made.stdout == ""
    assert "contract.toml: a contract made from " in made.stderr
    assert kept.returncode == ExitCode.GOOD, kept.stdout
    assert broken.returncode == ExitCode.CONTRACT_UNMET
    assert set(failed) == {
        "environment/contract/holds[packages.torch]",
        "environment/contract/holds[limits.nofile]",
        "environment/contract/holds[variables.unset[NCCL_DEBUG]]",
        "environment/gpu/driver",
    }
    for key, line in number.items():
        summary = failed[f"environment/contract/holds[{key}]"]
        assert summary.startswith(f"false.toml:{line}: {key}: expected ")
        assert f"false.toml:{line}: {key}" in broken.stderr
        assert f"false.toml:{line}: {key}" in page
    assert "not_applicable.environment" in failed["environment/gpu/driver"]
    assert "NOT GOOD: contract not met: " in broken.stdout
    assert "CONTRACT NOT MET" in broken.stdout
    assert "--contract false.toml" in page


@pytest.fixture
def document(tmp_path, monkeypatch):
    """A function that leaves a document in the folder that is called from."""
    monkeypatch.chdir(tmp_path)

    def write(outcome=Outcome.PASSED):
        save(run_of(FOUR_GPUS, result("environment/gpu/present", outcome), result("memory/a/b")), "run.json")
        return tmp_path

    return write


def test_from_a_document(document, capsys):
    """Without torch, to stdout unless a file is named; the folder of a run will do."""
    folder = document()

    assert run_command(["snapshot", "run.json"]) == ExitCode.GOOD
    said = capsys.readouterr()
    assert said.out.startswith("# A contract of gnnbench")
    assert 'torch = "==2.8.0+cu121"' in said.out
    assert said.err == ""
    assert run_command(["snapshot", str(folder), "-o", "c.toml"]) == ExitCode.GOOD
    assert (folder / "c.toml").read_text() == said.out


def test_it_needs_no_torch(document):
    """It runs where there is none."""
    folder = document()
    program = "import sys; sys.modules['torch'] = None\nfrom gnnbench.cli import main; main(['snapshot', 'run.json'])"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.FAILED, ExitCode.CHECK_FAILED), (Outcome.INCONCLUSIVE, ExitCode.INCONCLUSIVE)])  # fmt: skip
def test_a_run_that_was_not_good_makes_none(document, capsys, outcome, code):
    """Refused with the run's own exit code and one line; --force writes it all the same."""
    folder = document(outcome)

    assert run_command(["snapshot", "run.json", "-o", "c.toml"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gnnbench: run.json: expected a good run to make a contract from, found: ")
    assert line.endswith("mend what it found, or write it all the same with --force")
    assert not (folder / "c.toml").exists()
    assert run_command(["snapshot", "run.json", "-o", "c.toml", "--force"]) == ExitCode.GOOD
    assert (folder / "c.toml").exists()


def test_nothing_is_written_over(document, capsys):
    """A file that is there stays, unless --force says otherwise."""
    folder = document()
    (folder / "c.toml").write_text("precious")

    assert run_command(["snapshot", "run.json", "-o", "c.toml"]) == ExitCode.USAGE_ERROR
    assert capsys.readouterr().err == (
        "gnnbench: --output: expected a file that is not there yet, found 'c.toml'; --force writes over it\n"
    )
    assert (folder / "c.toml").read_text() == "precious"
    assert run_command(["snapshot", "run.json", "-o", "c.toml", "--force"]) == ExitCode.GOOD
    assert "precious" not in (folder / "c.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("nowhere.json", "nowhere.json: expected a Run document, found none: No such file or directory"),
        ("run.json -o nowhere/c.toml", "--output: expected a file in a folder that can be written to, found 'nowhere/c.toml'"),
        ("run.json -o .", "--output: expected a file in a folder that can be written to, found '.'"),
        ("run.json --device cpu", "--device: expected no device and no words for pytest beside a document, found 'cpu'"),
        ("run.json -- -x", "--: expected no device and no words for pytest beside a document, found '-x'"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(document, capsys, arguments, complaint):
    """Exit code 4, and what was expected."""
    document()

    assert run_command(["snapshot", *arguments.split()]) == ExitCode.USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"gnnbench: {complaint}")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("wrong.toml", "wrong.toml:2: tourch: expected a table that contracts have, found 'tourch'; did you mean torch?"),
        ("nowhere.toml", "nowhere.toml: expected a contract, found none: No such file or directory; gnnbench snapshot"),
        ("", "--contract: expected a file, found ''; leave the option out to mean none"),
    ],
)  # fmt: skip
def test_a_contract_that_is_none_is_one_line(tmp_path, name, complaint):
    """`gnnbench run --contract` refuses it before any check runs, and leaves no folder."""
    (tmp_path / "wrong.toml").write_text('schema = "gnnbench.contract/1"\n[tourch]\n')
    done = gnnbench(tmp_path, "run", "--contract", name, "--suite", "memory")

    assert done.returncode == ExitCode.USAGE_ERROR
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gnnbench: {complaint}")
    assert list(tmp_path.glob("reports/*")) == []
