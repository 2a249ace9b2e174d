"""suites/environment/test_health.py: the outcome of each way in which NVML may fail to answer."""

import pytest

from gnnbench.checks import Evidence
from gnnbench.checks.outcomes import CheckFailed, Inconclusive, NotApplicable, describe
from gnnbench.environment import cuda, nvml
from gnnbench.faults.fake_gpus import sound, uuid_of
from suites.environment import gpus
from suites.environment import test_health as suite

pytest.importorskip("torch")


@pytest.fixture
def say(machine, monkeypatch):
    """Installs a scenario of which nothing has been read."""
    for name, value in machine.gpus.environment().items():
        monkeypatch.setenv(name, value)
    machine.gpus.install()

    def forget():
        nvml.first.cache_clear()
        cuda.driver.cache_clear()

    def install(gpus=2, **changes):
        machine.gpus.say({**sound(gpus), **{key.replace("__", "."): value for key, value in changes.items()}})
        forget()

    yield install
    forget()


def outcome(check, *arguments):
    """(how it ended, its finding as text, its facts)."""
    evidence = Evidence()
    try:
        check(*arguments, evidence=evidence)
    except (CheckFailed, Inconclusive, NotApplicable) as ended:
        return type(ended).__name__, describe(ended.finding), evidence.facts
    return "passed", "", evidence.facts


@pytest.mark.parametrize(
    ("changes", "how", "words"),
    [
        ({}, "passed", ""),
        ({"fail__nvmlInitWithFlags": 18}, "CheckFailed", "reboot the host, or reload the module"),
        ({"fail__nvmlInitWithFlags": 999}, "CheckFailed", "daemon-reload"),
        ({"fail__nvmlInitWithFlags": 8}, "CheckFailed", "external power connector"),
        ({"fail__nvmlInitWithFlags": 4}, "Inconclusive", "this user may not ask NVML"),
        ({"crash__nvmlDeviceGetCount_v2": 1}, "CheckFailed", "SIGSEGV"),
        ({"count": 0}, "CheckFailed", "NVML counts no GPU, and CUDA uses 2"),
        ({"count": 3}, "CheckFailed", "Invalid Argument"),
        ({"gpu1__fail__nvmlDeviceGetHandleByIndex_v2": 16}, "CheckFailed", "GPU 1"),
        ({"gpu1__fail__nvmlDeviceGetPowerUsage": 15}, "CheckFailed", "GPU is lost"),
    ],
)  # fmt: skip
def test_answers(say, changes, how, words):
    """A driver or a GPU at fault is a failure that names the cure; rights that lack are inconclusive."""
    say(**changes)
    ended, text, _ = outcome(suite.test_answers)

    assert ended == how
    assert words in text


def test_a_driver_that_hangs(say, monkeypatch):
    """The check ends, and says what NVML was asked last."""
    say(gpu0__hang__nvmlDeviceGetRemappedRows=1)
    monkeypatch.setattr(nvml.take, "__kwdefaults__", {"timeout": 1.0})
    ended, text, _ = outcome(suite.test_answers)

    assert ended == "CheckFailed"
    assert "last asked for remapped_rows of GPU 0" in text
    assert outcome(suite.test_power)[0] == "Inconclusive"


def test_without_a_gpu(monkeypatch):
    """Where there is none, each check needs one, and says why there is none."""
    monkeypatch.setattr(nvml, "first", lambda: nvml.Snapshot(problem=nvml.Problem(said="no library")))
    for module in (suite, gpus):
        monkeypatch.setattr(module, "driver", cuda.DriverReport)
        monkeypatch.setattr(module, "device_nodes", tuple)
    absence = gpus.gpu_absence()
    if absence is None:
        pytest.skip("torch has a GPU here")
    at_end = nvml.Snapshot()

    for check, *arguments in (
        *((one,) for one in (suite.test_answers, suite.test_power, suite.test_pcie, suite.test_others)),
        *((one, at_end) for one in (suite.test_throttling, suite.test_unchanged, suite.test_still_there)),
        (suite.test_xids, None),
    ):
        ended, text, _ = outcome(check, *arguments)
        assert ended == "NotApplicable"
        assert absence.summary in text


def test_a_gpu_that_nvml_can_not_name(say):
    """Health is not told of GPUs that can't be joined; it is where the PCI address tells which they are."""
    say(fail__nvmlDeviceGetUUID=4)
    assert outcome(suite.test_power)[0] == "passed"

    say(fail__nvmlDeviceGetUUID=4, fail__nvmlDeviceGetPciInfo_v3=4)
    ended, text, _ = outcome(suite.test_power)
    assert ended == "Inconclusive"
    assert "cuda:0 can't be judged: NVML does not tell which it is" in text


def test_only_gpus_in_use_are_judged(say):
    """F36: a sick neighbour is nobody's fault; where CUDA has none, all are judged."""
    say(cuda_count=1, cuda0__uuid=uuid_of(1), gpu0__power_limit=100000)
    assert outcome(suite.test_power)[0] == "passed"

    say(cuda_count=0, gpu0__power_limit=100000)
    ended, text, _ = outcome(suite.test_power)
    assert ended == "CheckFailed"
    assert text.startswith("GPU 0: its power limit is 100 W")


def test_what_no_gpu_has(say):
    """One GPU that has it is judged; where none has, there is nothing to judge."""
    say(gpu0__ecc=None)
    ended, _, facts = outcome(suite.test_memory_errors)
    assert ended == "passed"
    assert [words for words in facts.values() if words != "good"] == [
        {"lacks": ["memory with error correction (ECC)"]}
    ]

    say(gpu0__ecc=None, gpu1__ecc=None)
    ended, text, _ = outcome(suite.test_memory_errors)
    assert ended == "NotApplicable"
    assert "no GPU here has memory with error correction" in text


def test_refused_counters_say_whom_to_ask(say):
    """What takes rights is told as that."""
    say(gpu0__fail__nvmlDeviceGetTotalEccErrors=4)
    ended, text, _ = outcome(suite.test_memory_errors)

    assert ended == "Inconclusive"
    assert "refused: Insufficient Permissions" in text
    assert "as root" in text


def test_lost_before_it_began(say):
    """Where no GPU answered at the start there is none to look for at the end: that is no pass."""
    say(fail__nvmlDeviceGetHandleByIndex_v2=15)

    assert outcome(suite.test_still_there, nvml.take())[0] == "Inconclusive"


def test_unchanged_where_the_end_is_not_told(say, machine):
    """Counters that can't be read at the end are not unchanged."""
    say()
    nvml.first()
    machine.gpus.say({**sound(), "fail.nvmlInitWithFlags": 999})
    gone = nvml.take()

    assert outcome(suite.test_unchanged, gone)[0] == "Inconclusive"
    assert outcome(suite.test_throttling, gone)[0] == "Inconclusive"
    assert outcome(suite.test_still_there, gone)[0] == "CheckFailed"


def test_unchanged_where_one_gpu_is_gone(say, machine):
    """The counters of a GPU that is gone are not unchanged, and its neighbour is judged all the same."""
    say()
    nvml.first()
    machine.gpus.say({**sound(), "gpu1.fail.nvmlDeviceGetHandleByIndex_v2": 15, "gpu0.pcie.width": 4})
    _, text, facts = outcome(suite.test_unchanged, nvml.take())

    assert "PCIe lanes changed from 16 to 4" in text
    assert {"unread": ["at the end: GPU lost: GPU is lost"]} in facts.values()
