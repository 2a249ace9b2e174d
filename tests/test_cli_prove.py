"""gnnbench prove: the score of the catalogue, and what becomes of faults that nothing catches."""

import json
import os
import signal
import subprocess
import sys

import pytest
from compiled_files import needs_compiler

from gnnbench.faults import catalogue
from gnnbench.record import ExitCode, Outcome, RunState, load

ENTRY = """
from gnnbench.faults.fault import Fault

def plant(broken):
    {plant}

FAULT = Fault(
    id="{id}", title="{title}", symptom="nothing", sources=("a/b#1",), areas=("EQ",),
    caught_by=("equivalence/exact/forward",), plant=plant, keyword="planted and exact_plain", says={says},
)
"""

HARMLESS = "from gnnbench.faults.mutant import Mutant, register; register(Mutant())"
ALWAYS = "from gnnbench.faults.mutant import Mutant, register; register(Mutant(loops='none'))"
CRASHES = "import os; os._exit(7)"
HANGS = f"import time; broken and time.sleep(600); {HARMLESS}"
PLANTS_NOTHING = "pass"
UNEXPLAINED = (
    "from gnnbench.faults.mutant import Mutant, register; register(Mutant(loops='none' if broken else 'add'))"
)


def prove(folder, *arguments):
    """Run the command in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "gnnbench", "prove", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One run over the whole catalogue: (the process, its document)."""
    needs_compiler()
    folder = tmp_path_factory.mktemp("prove")
    ended = prove(folder)
    (document,) = folder.glob("reports/*/run.json")
    return ended, load(document), document.parent


@pytest.mark.parametrize("fault", catalogue())
def test_every_fault_is_caught_and_its_clean_twin_green(whole, fault):
    """The promise of the catalogue, one by one."""
    _, run, _ = whole
    (result,) = (result for result in run.results if result.id.endswith(f"/{fault}"))

    assert result.outcome is Outcome.PASSED, result.finding
    if catalogue()[fault].harmless:
        assert result.facts["caught_by"] == []
    else:
        assert set(catalogue()[fault].caught_by) <= set(result.facts["caught_by"])
        assert result.facts["said"]


def test_the_score(whole):
    """It ends with the score and exit code 0, and leaves a report that names every fault."""
    ended, run, folder = whole
    count = len(catalogue())

    assert ended.returncode == ExitCode.GOOD == run.exit_code
    harmless = sum(fault.harmless for fault in catalogue().values())
    assert f"GOOD: {count - harmless} of {count - harmless} faults caught" in ended.stdout
    assert (
        f"{harmless} of {harmless} harmless differences let pass, {count} of {count} clean twins"
        in ended.stdout
    )
    page = (folder / "report.html").read_text()
    assert all(f"/{fault}" in page for fault in catalogue())


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A catalogue of faults that prove nothing, and what the command makes of them."""
    folder = tmp_path_factory.mktemp("own")
    for number, (title, plant) in enumerate(
        {
            "harmless": HARMLESS,
            "always": ALWAYS,
            "crashes": CRASHES,
            "hangs": HANGS,
            "nothing": PLANTS_NOTHING,
            "unexplained": UNEXPLAINED,
        }.items(),
        start=91,
    ):
        says = ("self-loop", "a word of nobody's") if title == "unexplained" else ()
        entry = ENTRY.format(id=f"F{number}", title=title, plant=plant, says=says)
        (folder / f"f{number}_{title}.py").write_text(entry)
    ended = prove(
        folder,
        *("F91", "F92", "F93", "F94", "F95", "F96"),
        "--catalogue",
        folder,
        "--timeout",
        "25",
        "--json",
        "out.json",
    )
    return ended, {result.title.partition(" ")[0]: result for result in load(folder / "out.json").results}


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("harmless", "not caught by equivalence/exact/forward"),
        ("always", "the clean twin is red in equivalence/exact/forward"),
        ("crashes", "left with status 7"),
        ("hangs", "did not end within 25 s"),
        ("nothing", "no check was selected by its keyword"),
        ("unexplained", 'red without its cause: equivalence/exact/forward lacks "a word of nobody\'s"'),
    ],
)
def test_what_is_not_proved_fails(own, title, words):
    """A fault that nothing catches, a red twin, a crash, a hang: each fails the command and says why."""
    ended, results = own

    assert ended.returncode == ExitCode.CHECK_FAILED
    assert words in results[title].finding.summary
    assert words in ended.stdout
    assert "NOT GOOD: 1 of 6 faults caught" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["F00"],
            "FAULT: expected an id of the catalogue, such as F01, found 'F00'; gnnbench prove --list says what there is",
        ),
        ([""], "FAULT: expected an id of the catalogue, such as F01, found ''"),
        (
            ["F17", "--area", "GRAD"],
            "--area: expected an area that one of the faults is in, found GRAD; gnnbench prove --help says more",
        ),
        (
            ["--area", "XX"],
            "--area: expected one of EQ, GRAD, DET, DATA, AMP, ENV, DEV, MEM, DIST, found 'XX'",
        ),
        (["--jobs", "0"], "--jobs: expected a whole number of at least 1, found '0'"),
        (["--timeout", "nan"], "--timeout: expected seconds, more than 0, found 'nan'"),
        (["--catalogue", "nowhere"], "--catalogue: expected a folder of faults, found nothing at 'nowhere'"),
        (["F17", "--output", "/proc/nowhere"], "--output: expected a folder that can be written to, found "),
        (
            ["F17", "--json", "nowhere/x.json"],
            "--json: expected a file in a folder that can be written to, found ",
        ),
        (["F17", "--json", "."], "--json: expected a file in a folder that can be written to, found '.'"),
        (["F17", "--catalogue", "."], "--catalogue: .: expected files called f*.py, one a fault, found none"),
    ],
)
def test_usage(tmp_path, arguments, complaint):
    """One line, and exit code 4."""
    ended = prove(tmp_path, *arguments)

    assert ended.returncode == ExitCode.USAGE_ERROR
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"gnnbench: {complaint}")
    assert ended.stdout == ""


def test_case_does_not_matter(tmp_path):
    """f08b and F08B are F08b, named twice or once."""
    ended = prove(tmp_path, "f08b", "F08B", "--area", "grad", "--list")

    assert ended.returncode == ExitCode.GOOD
    assert [line.split()[0] for line in ended.stdout.splitlines()[::2]] == ["F08b"]


@pytest.mark.parametrize("content", ["nonsense", "raise SystemExit(0)", "import no_such_module"])
def test_a_file_that_does_not_load(tmp_path, content):
    """One line that names it, and exit code 4, whatever it raises."""
    (tmp_path / "f90_bad.py").write_text(content)
    ended = prove(tmp_path, "F17", "--catalogue", tmp_path)

    assert ended.returncode == ExitCode.USAGE_ERROR
    assert "f90_bad.py: expected a Fault called FAULT, found" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_keeps_what_is_proved(tmp_path, number):
    """Ctrl-C and SIGTERM leave a document that says what was proved, what was not, and why it ended."""
    for name, plant in (("f91_a", HARMLESS), ("f92_b", HANGS)):
        (tmp_path / f"{name}.py").write_text(
            ENTRY.format(id=name[:3].upper(), title=name, plant=plant, says=())
        )
    command = subprocess.Popen(
        [sys.executable, "-m", "gnnbench", "prove", "F91", "F92", "--catalogue", ".", "--jobs", "2"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout.readline().startswith("F91")
    command.send_signal(number)
    said = command.communicate(timeout=60)[0]
    (document,) = tmp_path.glob("reports/*/run.json")
    run = load(document)

    assert command.returncode == ExitCode.INTERRUPTED == run.exit_code
    assert run.state is RunState.INTERRUPTED
    assert [result.id for result in run.results] == ["faults/eq/F91"]
    assert run.unfinished == ("faults/eq/F92",)
    assert "INTERRUPTED by Ctrl-C or SIGTERM" in said


@pytest.mark.parametrize("stream", ["/dev/full", "closed pipe"])
def test_a_terminal_that_takes_no_words(tmp_path, stream):
    """The proof goes on, and its document is left."""
    script = tmp_path / "run.sh"
    script.write_text(
        'exec "$@" >/dev/full\n' if stream == "/dev/full" else '"$@" | true\nexit ${PIPESTATUS[0]}\n'
    )
    ended = subprocess.run(
        ["bash", script, sys.executable, "-m", "gnnbench", "prove", "F34"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    (document,) = tmp_path.glob("reports/*/run.json")

    assert ended.returncode == ExitCode.GOOD
    assert "Traceback" not in ended.stderr
    assert load(document).results[0].outcome is Outcome.PASSED


def test_list(tmp_path):
    """What is in the catalogue, without planting any of it, and without a folder for reports."""
    ended = prove(tmp_path, "--list", "--area", "GRAD")

    assert ended.returncode == ExitCode.GOOD
    assert "F08 " in ended.stdout
    assert "F17 " not in ended.stdout
    assert not list(tmp_path.iterdir())


def test_json_on_stdout(tmp_path):
    """`--json -` leaves stdout to the document."""
    ended = prove(tmp_path, "F34", "--json", "-")

    assert json.loads(ended.stdout)["results"][0]["catches"] == ["F34"]
    assert "1 of 1 faults caught" in ended.stderr


def test_the_process_that_plants_dies(tmp_path):
    """One line that holds its last words, exit code 3, and a document that says so."""
    text = "import os, sys\nif 'gnnbench.faults.nursery' in sys.orig_argv:\n    os.write(2, b'no memory left\\n')\n    os._exit(9)\n"
    (tmp_path / "sitecustomize.py").write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "gnnbench", "prove", "F17", "--json", "out.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    run = load(tmp_path / "out.json")

    assert ended.returncode == ExitCode.INTERNAL_ERROR == run.exit_code
    assert "Traceback" not in ended.stderr
    assert "CRASHED: expected an answer for F17" in ended.stdout
    assert "no memory left" in ended.stdout
    assert run.state is RunState.CRASHED
