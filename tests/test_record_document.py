"""gnnbench.record.document: versions, strictness, and files that are never half written."""

import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from datetime import date

import jsonschema
import pytest
from hypothesis import given

from gnnbench.record import (
    DocumentError,
    Finding,
    Margin,
    Outcome,
    Result,
    Run,
    RunState,
    dumps,
    json_schema,
    load,
    loads,
    save,
    write_atomically,
)
from gnnbench.record import document as module


def a_run(**changes):
    fields = {"id": "20260101T000000Z-abc", "state": RunState.COMPLETE, "started_at": "2026-01-01T00:00:00Z"}
    return Run(**{**fields, **changes})


def a_result(**changes):
    fields = {"id": "suite/file/check", "suite": "suite", "tier": "smoke", "outcome": Outcome.PASSED}
    return Result(**{**fields, **changes})


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def validate(text):
    jsonschema.validate(json.loads(text), json_schema(), cls=jsonschema.Draft202012Validator)


def test_schema_accepts_a_document():
    """A document with every kind of content is valid under the published schema."""
    failed = a_result(
        id="s/f/g",
        outcome=Outcome.FAILED,
        finding=Finding(summary="no"),
        margins=(Margin(name="x", error=float("nan"), bound=0.0),),
    )

    validate(dumps(a_run(results=(a_result(), failed))))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda d: d.pop("id"),
        lambda d: d.update(state="done"),
        lambda d: d.update(started_at="yesterday"),
        lambda d: d.pop("format_history"),
        lambda d: d["results"][0].update(outcome="skipped"),
        lambda d: d["results"][0].update(outcome="failed"),  # without a finding
        lambda d: d["results"][0].update(margins=[{"name": "m", "error": "big", "bound": 1}]),
        lambda d: d["results"][0].update(measurements=[{"name": "m"}]),
    ],
)
def test_schema_refuses_broken_documents(break_it):
    """The schema is not one that anything passes."""
    data = json.loads(dumps(a_run(results=(a_result(),))))
    break_it(data)

    with pytest.raises(jsonschema.ValidationError):
        validate(json.dumps(data))


def test_schema_and_dataclasses_have_the_same_fields():
    """A field added to a record and forgotten in the schema is noticed."""
    schema = json_schema()
    pairs = {
        "run": module.Run,
        **{
            name: getattr(__import__("gnnbench.record", fromlist=[name]), name.capitalize())
            for name in schema["$defs"]
            if name not in {"number", "scalar"}
        },
    }
    for name, cls in pairs.items():
        described = schema if name == "run" else schema["$defs"][name]
        fields = {f for f in cls.__dataclass_fields__ if f != "extra"}

        assert set(described["properties"]) - {"schema", "format_history"} == fields, name


def test_format_history_is_dated_and_ends_with_the_current_format():
    """The history in the file names every format once, with a real date, oldest first."""
    data = json.loads(dumps(a_run()))
    history = data["format_history"]

    assert [entry["schema"] for entry in history] == [
        f"gnnbench.run/{n}" for n in range(1, module.SCHEMA_VERSION + 1)
    ]
    assert history[-1]["schema"] == data["schema"]
    dates = [date.fromisoformat(entry["date"]) for entry in history]
    assert dates == sorted(dates)


def test_older_formats_load(monkeypatch):
    """A document of an older format is brought up step by step."""
    older = json.loads(dumps(a_run()))
    older["identifier"] = older.pop("id")
    monkeypatch.setattr(module, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(
        module, "_UPGRADES", {1: lambda data: {**data, "id": data["identifier"], "schema": "gnnbench.run/2"}}
    )

    assert loads(json.dumps(older)).id == "20260101T000000Z-abc"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not strict JSON"),
        ("{", "not strict JSON"),
        ("[]", "expected a JSON object, found list"),
        ("{}", 'expected "schema": "gnnbench.run/N", found None'),
        ('{"schema": "gnnbench.run/²"}', 'expected "schema"'),
        ('{"schema": "other/1"}', "found 'other/1'"),
        ('{"schema": "gnnbench.run/' + "9" * 5000 + '"}', 'expected "schema"'),
        (
            '{"schema": "gnnbench.run/1", "id": "", "state": "complete", "started_at": "", "duration_s": 1'
            + "0" * 400
            + "}",
            "duration_s: expected a number that a float can hold",
        ),
        ('{"schema": "gnnbench.run/999"}', "made by a newer gnnbench: .* upgrade"),
        ('{"schema": "gnnbench.run/0"}', "there never was a gnnbench.run/0"),
        ('{"schema": "gnnbench.run/1", "id": NaN}', "the literal NaN is not JSON"),
        ("[" * 100_000, "nested too deeply|not strict JSON"),
    ],
)
def test_refusals_say_why(text, message):
    """What is no Run document is refused with the reason and the file's name."""
    with pytest.raises(DocumentError, match=message) as caught:
        loads(text, "some.json")

    assert str(caught.value).startswith("some.json: ")


def test_load_refuses_bytes_that_are_not_text(tmp_path):
    """A binary file is a clear error."""
    path = tmp_path / "run.json"
    path.write_bytes(b'{"a": "\xff"}')

    with pytest.raises(DocumentError, match="expected UTF-8 text, found a byte that is not at 7"):
        load(path)


def test_save_and_load(tmp_path):
    """The file holds the run, ends with a newline, and is readable as umask allows."""
    path = tmp_path / "run.json"
    save(a_run(), path)

    assert load(path) == a_run()
    assert path.read_bytes().endswith(b"}\n")
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_lone_surrogates_are_written(tmp_path):
    """An undecodable byte in a log does not stop the document from being written."""
    path = tmp_path / "run.json"
    save(a_run(ended_by="\udcff"), path)

    assert load(path).ended_by == "\udcff"


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """Where the new text does not fit, the old document stands and nothing else is left behind."""
    path = tmp_path / "run.json"
    save(a_run(), path)
    code = (
        "import resource, signal, sys\n"
        "from gnnbench.record import load, save\n"
        "import dataclasses\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "run = dataclasses.replace(load(sys.argv[1]), ended_by='x' * 100_000)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try:\n"
        "    save(run, sys.argv[1])\n"
        "except OSError:\n"
        "    sys.exit(7)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False)

    assert ended.returncode == 7
    assert load(path) == a_run()
    assert names_in(tmp_path) == ["run.json"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 10_000


def test_sigkill_never_leaves_a_corrupt_file(tmp_path):
    """A writer killed at any moment leaves the old document or a new one, whole."""
    path = tmp_path / "run.json"
    save(a_run(collected=0), path)
    code = (
        "import dataclasses, itertools, sys\n"
        "from gnnbench.record import load, save\n"
        "run = load(sys.argv[1])\n"
        "for n in itertools.count(1):\n"
        "    save(dataclasses.replace(run, collected=n, ended_by='x' * (n * 7919 % 400_000)), sys.argv[1])\n"
    )
    highest = 0
    for delay in (0.0, 0.003, 0.007, 0.011, 0.017, 0.023):
        with subprocess.Popen([sys.executable, "-c", code, str(path)]) as writer:
            before = path.stat().st_ino
            while path.stat().st_ino == before:
                time.sleep(0.001)
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        highest = max(highest, load(path).collected)

    assert highest > 1


def test_readers_beside_a_writer_see_whole_documents(tmp_path):
    """Whoever reads while another writes gets one document or the other."""
    path = tmp_path / "run.json"
    save(a_run(), path)
    stop = threading.Event()

    def write():
        size = 0
        while not stop.is_set():
            size = (size + 7919) % 200_000
            save(a_run(ended_by="x" * size), path)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes, end = {len(load(path).ended_by) for _ in range(200)}, time.monotonic() + 30
        while len(sizes) < 3 and time.monotonic() < end:
            sizes.add(len(load(path).ended_by))
    finally:
        stop.set()
        writer.join()

    assert len(sizes) >= 3


def test_write_atomically_names_no_temporary_that_globs_find(tmp_path, monkeypatch):
    """While it is being written the new text hides behind a dot."""
    seen = []
    monkeypatch.setattr(module.os, "fsync", lambda fd: seen.extend(names_in(tmp_path)))
    write_atomically(tmp_path / "run.json", "x")

    assert any(re.fullmatch(r"\.run\.json\..+", name) for name in seen)
    assert names_in(tmp_path) == ["run.json"]


def test_property_documents_are_valid():
    """Whatever the checks say, the written document is valid under the schema."""
    from test_record_codec import margins, measurements  # the strategies stand with the codec

    @given(measurements, margins)
    def valid(measurement, margin):
        validate(dumps(a_run(results=(a_result(measurements=(measurement,), margins=(margin,)),))))

    valid()
