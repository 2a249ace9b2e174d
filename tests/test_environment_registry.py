"""gnnbench.environment: every fact can be read, written and told; libraries and limits are read right."""

import re

import pytest
import torch

from gnnbench.environment import (
    FACTS,
    Ending,
    FactSpec,
    Limits,
    collect,
    completed,
    resolve_devices,
    run,
    survey,
)
from gnnbench.environment.libraries import doubled, mapped_libraries, parse_maps, scattered, several_majors
from gnnbench.environment.limits import cgroup_cpus, cgroup_memory
from gnnbench.environment.shared_memory import reserve
from gnnbench.record import Run, RunState, dumps, loads


@pytest.fixture(scope="module")
def environment():
    """The environment of this machine, read once."""
    return collect()


def test_collect_round_trips(environment):
    """All that is read here fits into a document and comes out of it unchanged."""
    document = Run(id="r", state=RunState.COMPLETE, started_at="t", environment=environment)

    assert loads(dumps(document)).environment == environment


def test_collect_says_what_matters(environment):
    """torch, Python and the CPU are known on every machine."""
    facts = {key: fact.value for key, fact in environment.facts.items()}

    assert torch.__version__ in facts.values()
    assert environment.packages["torch"] == torch.__version__
    assert environment.devices
    assert len(facts) > 30
    assert [fact.error for fact in environment.facts.values() if fact.error] == []


def test_keys_are_unique_and_well_formed():
    """A key is `group.name`, and there is one of each."""
    keys = [spec.key for spec in FACTS]

    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z_]+\.[A-Za-z0-9_-]+", key) for key in keys)


def test_a_reader_that_raises_is_a_fact_with_an_error():
    """One source that breaks loses one fact, and says why."""

    def broken():
        raise PermissionError("no entry")

    environment = collect([FactSpec("a.b", "A", broken), FactSpec("a.c", "C", lambda: 3)])

    assert environment.facts["a.b"].value is None
    assert environment.facts["a.b"].error == "PermissionError: no entry"
    assert environment.value("a.c") == 3


def test_only_variables_that_change_behaviour(monkeypatch):
    """NCCL_* and their like are recorded; anything else, such as a secret, never."""
    monkeypatch.setenv("NCCL_DEBUG", "INFO")
    monkeypatch.setenv("MY_SECRET_TOKEN", "s3cr3t")
    text = dumps(Run(id="r", state=RunState.COMPLETE, started_at="t", environment=collect()))

    assert "NCCL_DEBUG" in text
    assert "s3cr3t" not in text


MAPS = """\
7f00-7f01 r-xp 00000000 fe:00 11 /usr/lib/libcudnn_ops.so.9
7f01-7f02 r--p 00000000 fe:00 11 /usr/lib/libcudnn_ops.so.9
7f02-7f03 r-xp 00000000 fe:00 12 /opt/wheel dir/libcudnn_ops.so.9
7f03-7f04 r-xp 00000000 fe:00 13 /opt/libcudart.so.12
7f04-7f05 r-xp 00000000 fe:00 14 /opt/libcudart.so.11.0 (deleted)
7f05-7f06 r-xp 00000000 fe:00 15 /opt/libnccl.so.2
7f06-7f07 r-xp 00000000 fe:00 15 /other/name/libnccl.so.2
7f07-7f08 rw-p 00000000 00:00 0 [heap]
7f08-7f09 r--p 00000000 fe:00 16 /usr/lib/data.bin
"""


def test_libraries_that_are_mapped_twice():
    """F30, F32: two copies of one soname and two CUDA majors are found; one file under two names is one."""
    libraries = parse_maps(MAPS)

    assert doubled(libraries) == {
        "libcudnn_ops.so.9": ("/opt/wheel dir/libcudnn_ops.so.9", "/usr/lib/libcudnn_ops.so.9")
    }
    assert list(several_majors(libraries)) == ["libcudart"]


def test_parts_of_cudnn_from_two_folders():
    """F30: a part that the loader took from the system is found, though no soname is mapped twice."""
    one = "0-1 r-xp 0 fe:0 1 /wheel/libcudnn.so.9\n0-1 r-xp 0 fe:0 2 /wheel/libcudnn_ops.so.9\n"
    other = "0-1 r-xp 0 fe:0 3 /usr/lib/libcudnn_cnn.so.9\n"

    assert scattered(parse_maps(one)) == {}
    assert doubled(parse_maps(one + other)) == {}
    assert scattered(parse_maps(one + other)) == {
        "libcudnn": ("/usr/lib/libcudnn_cnn.so.9", "/wheel/libcudnn.so.9")
    }


def test_the_libraries_of_this_process():
    """torch's own libraries are seen here, and none of them twice."""
    # Other tests load fakes into this process.
    libraries = [library for library in mapped_libraries() if "pytest-of-" not in library.path]

    assert any(library.family.startswith("libtorch") for library in libraries)
    assert doubled(libraries) == {}


def test_cgroup_limits_are_those_of_the_tightest_ancestor(tmp_path):
    """A limit on a parent group holds for its children."""
    group = tmp_path / "cgroup" / "a" / "b"
    group.mkdir(parents=True)
    (tmp_path / "cgroup" / "cgroup.controllers").write_text("cpu memory")
    (tmp_path / "membership").write_text("0::/a/b\n")
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text("1073741824\n")
    (group / "cpu.max").write_text("150000 100000\n")

    assert cgroup_memory(tmp_path / "cgroup", tmp_path / "membership") == 2**30
    assert cgroup_cpus(tmp_path / "cgroup", tmp_path / "membership") == 1.5


def test_shared_memory_that_is_too_small(tmp_path, monkeypatch):
    """F43: where the space can't be reserved, the error says so and nothing is left behind."""
    reserve(1 << 20, tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        reserve(1 << 20, tmp_path)
    assert list(tmp_path.iterdir()) == []


LOCK = """
import os
from gnnbench.environment.shared_memory import lock

def lock_as_nobody(size):
    if os.geteuid() == 0:
        os.setuid(65534)  # root may lock without limit
    lock(size)
"""


def test_locked_memory_is_limited(tmp_path, monkeypatch):
    """F42: what the kernel refuses to lock is an error, and what it allows is not."""
    (tmp_path / "lock_target.py").write_text(LOCK)
    monkeypatch.syspath_prepend(tmp_path)
    limits = Limits(memlock=64 << 10)
    refused = run("lock_target:lock_as_nobody", 1 << 20, timeout=30, limits=limits)
    allowed = run("lock_target:lock_as_nobody", 16 << 10, timeout=30, limits=limits)

    assert refused.ending is Ending.RAISED
    assert refused.error_type in ("OSError", "MemoryError", "PermissionError")
    assert allowed.ending is Ending.OK, allowed.describe()


@pytest.mark.parametrize(
    ("count", "names", "expected"),
    [
        (0, [], ["cpu"]),
        (2, [], ["cuda:0", "cuda:1"]),
        (2, ["cpu", "cuda"], ["cpu", "cuda:0", "cuda:1"]),
        (2, ["cuda:1", "cuda:1", "cuda"], ["cuda:1", "cuda:0"]),
    ],
)
def test_resolve_devices(monkeypatch, count, names, expected):
    """Every GPU, else the CPU; or what was named, in order and once."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    assert [str(device) for device in resolve_devices(names)] == expected


@pytest.mark.parametrize(
    ("count", "name", "message"),
    [
        (0, "cuda", "expected a GPU for 'cuda', found none"),
        (2, "cuda:2", r"expected a GPU for 'cuda:2', found 2 \(cuda:0 to cuda:1\)"),
        (2, "mps", "expected a device `cpu`, `cuda` or `cuda:N`, found 'mps'"),
    ],
)
def test_resolve_devices_refuses(monkeypatch, count, name, message):
    """A device that is not there is refused with what was found."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    with pytest.raises(ValueError, match=message):
        resolve_devices([name])


def test_what_a_survey_saw_is_added_in_its_place(monkeypatch):
    """Read early it is left out; completed, the facts stand as if all had been read at once."""
    early = collect(wait=False)
    seen = {
        "ran": {"collective": "cpu"},
        "pyg": {"flags": {"WITH_PYG_LIB": True}, "warnings": []},
        "transport": {},
    }
    monkeypatch.setattr(survey, "_taken", [survey.Survey({**seen, "libraries": [], "unreadable": ""})])
    whole = completed(early)

    assert "pyg.flags" not in early.facts
    assert whole.value("pyg.flags") == {"WITH_PYG_LIB": True}
    assert list(whole.facts) == [spec.key for spec in FACTS]
    assert completed(whole) == whole


def test_without_a_survey_nothing_is_added(environment):
    """And nothing waited for."""
    assert completed(environment) == environment
