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
    assert (
        "forward at node 1, channel 0: expected 1.48803387, got 1.20710671, error 0.281, bound " in lines[1]
    )
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


def test_it_says_what_it_ran_on_and_what_to_do(both):
    """The device and the tier are those of the replay; the advice can be pasted."""
    _, run, folder = both

    assert [result.device for result in run.results] == ["cpu", "cpu"]
    assert run.invocation.devices == ("cpu",)
    assert run.invocation.tier == "smoke" == run.results[0].tier
    command = f"gnnbench replay {folder / 'run.json'} -- -p random_backends"
    assert run.results[0].finding.fix.endswith(f"from the document of this run: `{command}`")


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
    """A backend that nobody registers, one that refuses, a device that is not there."""
    write(
        tmp_path,
        recorded("elsewhere"),
        recorded("r_refuses"),
        recorded("r_clean", device="cuda:7"),
    )
    done = replay(tmp_path, "old.json")

    assert done.returncode == ExitCode.INCONCLUSIVE
    assert done.stdout.count("not judged   equivalence/random/layer[") == 3
    assert "no backend called elsewhere is registered here" in done.stdout
    assert "r_refuses refuses the graph now: no kernel for Tuesdays" in done.stdout
    assert "recorded on cuda:7, which is not here" in done.stdout
    (path,) = tmp_path.glob("reports/*/run.json")
    run = load(path)
    fixes = [result.finding.fix for result in run.results]
    assert run.invocation.devices == ("cpu", "cuda:7")
    assert [result.device for result in run.results] == ["cpu", "cpu", "cuda:7"]
    again = f"`gnnbench replay {tmp_path / 'old.json'}"
    assert f"{again} -- -p random_backends -p MODULE`" in fixes[0]
    assert f"{again} --device cpu -- -p random_backends`" in fixes[2]


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


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"x": [[1.0]]}, "x: expected 2 rows of 1 numbers, found others"),
        ({"x": [["NaN"], [1.0]]}, "x: expected numbers that float32 holds, found nan"),
        ({"upstream": [[1.0], [1e300]]}, "upstream: expected numbers that float32 holds, found 1e+300"),
        ({"weight": [[]]}, "weight: expected at least 1 row of at least 1 number, found none"),
        ({"bias": [1.0, 2.0]}, "bias: expected 1 number, found 2"),
        ({"edge_index": [[0, 1]]}, "edge_index: expected 2 rows of one length, found rows of [2]"),
        ({"edge_index": [[0], [7]]}, "edge_index: expected nodes from 0 to 1, found 7"),
        ({"edge_weight": [1.0]}, "edge_weight: expected 2 numbers, found 1"),
        ({"edge_weight": [1.0, -9.0]}, "edge_weight: expected none below 0, found -9.0"),
        ({"num_nodes": -1}, "num_nodes: expected 0 or more, found -1"),
        ({"num_nodes": 10**12}, "x: expected 1000000000000 rows of 1 numbers, found others"),
        ({"self_loops": "some"}, "self_loops: expected add, add_remaining or none, found 'some'"),
        ({"device": "the moon"}, "device: expected a name such as cpu or cuda:0, found 'the moon'"),
        ({"backend": ""}, "backend: expected a name, found none"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_graph_that_was_altered_is_a_usage_error(tmp_path, changed, complaint):
    """Refused when it is read, in one line: no backend is blamed for it, and nothing is imported."""
    broken = recorded("r_once")
    broken.facts[COUNTEREXAMPLE].update(changed)
    write(tmp_path, broken)
    done = subprocess.run(
        [sys.executable, "-m", "gnnbench", "replay", "old.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == ExitCode.USAGE_ERROR
    assert done.stdout == ""
    assert done.stderr == (
        f"gnnbench: old.json: equivalence/random/layer[r_once-cpu]: facts.counterexample: {complaint}; name a document "
        "as a run has left it\n"
    )
    assert not (tmp_path / "reports").exists()


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
