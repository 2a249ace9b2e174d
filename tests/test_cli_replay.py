"""gnnbench replay: recorded graphs run again, and what is said of each."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import documents
import pytest

from gnnbench.record import (
    COUNTEREXAMPLE,
    REPLAYED,
    Counterexample,
    DocumentError,
    ExitCode,
    Outcome,
    Result,
    counterexamples,
    load,
    loads,
    save,
)
from gnnbench.record.codec import encode
from gnnbench.report.findings import command_again, command_alone

TESTS = Path(__file__).parent


def example(backend, **changed):
    """Two nodes with two equal edges, all operands ones: what a lost duplicate shrinks to."""
    return replace(
        Counterexample(
            backend=backend,
            device="cpu",
            self_loops="add",
            num_nodes=2,
            edge_index=((0, 0), (1, 1)),
            edge_weight=None,
            x=((1.0,), (1.0,)),
            weight=((1.0,),),
            bias=None,
            upstream=((1.0,), (1.0,)),
        ),
        **changed,
    )


def recorded(backend, **changed):
    """The result of a check that recorded that graph."""
    return Result(
        id=f"equivalence/random/layer[{backend}-cpu]",
        suite="equivalence",
        tier="standard",
        outcome=Outcome.FAILED,
        facts={"backend": backend, COUNTEREXAMPLE: encode(example(backend, **changed))},
    )


def write(folder, *results):
    """A document of these results."""
    save(replace(documents.empty_run(), results=results, collected=len(results)), folder / "old.json")


def replay(folder, *arguments, plugin=True, **environment):
    """Run the command as a person does, the broken backends at hand; return what came of it."""
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('LOADED', sorted({'torch', 'numpy', 'scipy'} & set(sys.modules)), file=sys.stderr))\n"
        "from gnnbench.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-c", program, "replay", *map(str, arguments)),
            *(["--", "-p", "random_backends"] if plugin else []),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert "LOADED []" in done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A broken and a clean backend, replayed together."""
    folder = tmp_path_factory.mktemp("replay")
    write(folder, recorded("r_once"), recorded("r_clean"))
    done = replay(folder, "old.json")
    (path,) = folder.glob("reports/*/run.json")
    return done, load(path), path.parent


def test_each_graph_is_told_of(both):
    """Still wrong with expected, got and bound; right now with the same; and the exit code is 1."""
    done = both[0]
    lines = done.stdout.splitlines()

    assert done.returncode == ExitCode.CHECK_FAILED
    assert lines[0] == "still fails  equivalence/random/layer[r_once-cpu]"
    assert "expected 0.333333333, got 0.49999997, error 0.167, bound " in lines[1]
    assert lines[2] == "passes now   equivalence/random/layer[r_clean-cpu]"
    assert "expected " in lines[3]
    assert "NOT GOOD: 1 of 2 checks failed" in done.stdout


def test_it_leaves_a_run_of_its_own(both):
    """A document with margins and reports, which can be replayed in turn."""
    _, run, folder = both
    wrong, right = run.results

    assert run.exit_code == ExitCode.CHECK_FAILED
    assert {path.name for path in folder.iterdir()} >= {"run.json", "report.html", "junit.xml", "summary.md"}
    assert [result.facts[REPLAYED] for result in run.results] == [
        "equivalence/random/layer[r_once-cpu]",
        "equivalence/random/layer[r_clean-cpu]",
    ]
    assert (wrong.outcome, right.outcome) == (Outcome.FAILED, Outcome.PASSED)
    assert wrong.worst_margin.ratio > 1000
    assert right.worst_margin.ratio < 1
    assert "2 nodes, 2 edges" in wrong.finding.summary
    assert [found for _, found in counterexamples(run)] == [example("r_once")]


def test_how_to_run_it_again_is_the_same_command(both):
    """No -k finds these checks: they come from the document."""
    run = both[1]
    command = "gnnbench replay old.json -- -p random_backends"

    assert command_alone(run, run.results[0]) == command_again(run) == command


def test_mended_backends_pass(tmp_path):
    """Exit code 0 once none fails, and the document on stdout where it was asked for."""
    write(tmp_path, recorded("r_once"))
    done = replay(tmp_path, "old.json", "--json", "-", MENDED="1")

    assert done.returncode == ExitCode.GOOD
    assert loads(done.stdout).results[0].outcome is Outcome.PASSED
    assert "passes now   equivalence/random/layer[r_once-cpu]" in done.stderr


def test_one_graph_alone(tmp_path):
    """By the id of its check; a device that was named wins over the one recorded."""
    write(tmp_path, recorded("r_once"), recorded("r_turned", device="cuda:7"))
    check = "equivalence/random/layer[r_turned-cpu]"
    done = replay(tmp_path, "old.json", "--check", check, "--device", "cpu")

    assert done.returncode == ExitCode.CHECK_FAILED
    assert f"still fails  {check}" in done.stdout
    assert "r_once" not in done.stdout


def test_what_cannot_run_here_is_no_pass(tmp_path):
    """A backend that nobody registers, one that refuses, a device that is not there, operands that do not fit."""
    write(
        tmp_path,
        recorded("elsewhere"),
        recorded("r_refuses"),
        recorded("r_clean", device="cuda:7"),
        recorded("r_once", x=((1.0,),)),
    )
    done = replay(tmp_path, "old.json")

    assert done.returncode == ExitCode.INCONCLUSIVE
    assert done.stdout.count("not judged   equivalence/random/layer[") == 4
    assert "no backend called elsewhere is registered here" in done.stdout
    assert "r_refuses refuses the graph now: no kernel for Tuesdays" in done.stdout
    assert "recorded on cuda:7, which is not here" in done.stdout
    assert "x: expected 2 rows of 1 numbers" in done.stdout


def complaint(done):
    """The one line that says what is wrong."""
    (line,) = [
        line
        for line in done.stderr.splitlines()
        if line and not line.startswith(("LOADED", "Usage: ", "Try "))
    ]
    assert done.stdout == ""
    return line


def test_nothing_to_replay_is_said_in_one_line(tmp_path):
    """Exit code 5, nothing to judge; the same where the check that was named recorded no graph."""
    bare = replace(recorded("r_once"), id="equivalence/bounded/layer[r_once-cpu]", facts={})
    write(tmp_path, bare)
    done = replay(tmp_path, "old.json")

    assert done.returncode == ExitCode.NO_CHECKS
    assert "old.json: nothing to replay: no check recorded a graph" in complaint(done)
    assert not (tmp_path / "reports").exists()

    write(tmp_path, bare, recorded("r_clean"))
    done = replay(tmp_path, "old.json", "--check", bare.id)
    assert done.returncode == ExitCode.NO_CHECKS
    assert f"{bare.id} recorded no graph" in complaint(done)


def test_documents_that_are_none_are_said_in_one_line(tmp_path):
    """Exit code 4: absent, no JSON, a graph from a newer version, a graph that is none, an unknown check."""
    (tmp_path / "text.json").write_text("hello")
    broken = recorded("r_once")
    broken.facts[COUNTEREXAMPLE]["num_nodes"] = "two"
    newer = recorded("r_once")
    newer.facts[COUNTEREXAMPLE]["schema"] = "gnnbench.counterexample/2"
    said = {}
    for name, results in {"broken": [broken], "newer": [newer], "fine": [recorded("r_once")]}.items():
        write(tmp_path, *results)
        (tmp_path / "old.json").rename(tmp_path / f"{name}.json")
    for name, more in {"absent": (), "text": (), "broken": (), "newer": (), "fine": ("--check", "x")}.items():
        done = replay(tmp_path, f"{name}.json", *more)
        assert done.returncode == ExitCode.USAGE_ERROR
        said[name] = complaint(done)

    assert "No such file" in said["absent"]
    assert "not strict JSON" in said["text"]
    assert "layer[r_once-cpu]: facts.counterexample.num_nodes: expected a whole number" in said["broken"]
    assert "expected gnnbench.counterexample/1, found 'gnnbench.counterexample/2'" in said["newer"]
    assert "expected a check of fine.json (equivalence/random/layer[r_once-cpu]), found 'x'" in said["fine"]


def test_every_number_survives_the_document():
    """float32 operands come back bit for bit, whatever their size, and through JSON."""
    torch = pytest.importorskip("torch")
    from gnnbench.graphs import RandomChoices
    from gnnbench.numerics import RandomLayer, random_layer

    for seed in range(60):
        layer = random_layer(RandomChoices(seed))
        found = layer.recorded(backend="b", device=torch.device("cpu"))
        run = replace(documents.empty_run(), results=(recorded("b"),))
        run.results[0].facts[COUNTEREXAMPLE] = json.loads(json.dumps(encode(found)))
        ((_, read),) = counterexamples(run)
        again = RandomLayer.of(read)
        assert again.self_loops == layer.self_loops
        assert again.graph.num_nodes == layer.graph.num_nodes
        assert torch.equal(again.graph.edge_index, layer.graph.edge_index)
        for ours, theirs in (
            (layer.graph.edge_weight, again.graph.edge_weight),
            *(
                (getattr(layer.inputs, name), getattr(again.inputs, name))
                for name in ("x", "weight", "bias", "upstream")
            ),
        ):
            assert (ours is None) is (theirs is None)
            assert ours is None or torch.equal(ours, theirs)


def test_a_graph_that_is_none_is_refused():
    """By path."""
    run = replace(documents.empty_run(), results=(recorded("b"),))
    del run.results[0].facts[COUNTEREXAMPLE]["x"]

    with pytest.raises(DocumentError, match="expected a field 'x', found none"):
        counterexamples(run)
