"""gnnbench.environment.health: what sick GPUs are held to, told by nvidia-ml-py from a fake library."""

import os
import time

import pynvml
import pytest

from gnnbench.environment import health, nvml
from gnnbench.environment.health import Opinion, Xid
from gnnbench.environment.health.xids import parse_log
from gnnbench.environment.load import copying
from gnnbench.faults.fake_gpus import uuid_of

JUDGES = {
    "memory_errors": health.memory_errors,
    "remapped_rows": health.remapped_rows,
    "temperature": health.temperature,
    "power": health.power,
    "clocks": health.clocks,
    "fabric": health.fabric,
    "modes": health.modes,
    "pcie": lambda gpu, label: health.pcie(gpu, label, loaded=True),
    "pcie_idle": lambda gpu, label: health.pcie(gpu, label, loaded=False),
    "nvlink": lambda gpu, label: health.nvlink(gpu, label, peers=[gpu]),
    "others": lambda gpu, label: health.others(gpu, label, own={os.getpid()}),
    "throttling": lambda gpu, label: health.throttling(gpu, gpu, label),
}


def judge(name, gpu):
    return JUDGES[name](gpu, "cuda:0")


@pytest.mark.parametrize("name", JUDGES)
def test_a_sound_gpu(machine, name):
    """Nothing is held against a sound GPU, and all of it is judged."""
    opinion = judge(name, machine.gpu())

    assert opinion.troubles == []
    assert opinion.judged


NO_PAGES = {"rows__corrected": None, "pages__0": 0, "pages__1": 0, "pages_pending": 0}
SICK = [
    ("memory_errors", {"ecc__uncorrected__volatile": 1}, "1 uncorrected memory error since", "gpu-reset"),
    ("memory_errors", {"sram_exceeded": 1}, "more uncorrected errors than NVIDIA allows", "dcgmi diag"),
    ("remapped_rows", {"rows__failed": 1}, "could not be remapped", "exchange"),
    ("remapped_rows", {"rows__pending": 1}, "waits to be remapped", "gpu-reset"),
    ("remapped_rows", {**NO_PAGES, "pages_pending": 1}, "page waits to be retired", "gpu-reset"),
    ("remapped_rows", {**NO_PAGES, "pages__1": 63}, "63 memory pages are retired", "exchanged"),
    ("temperature", {"temperature": 89}, "at 89 °C, and slows down at 89 °C", "fans"),
    (
        "temperature",
        {"temperature": 95, "threshold__1": None, "threshold__3": None},
        "slows down at 92",
        "fans",
    ),
    (
        "temperature",
        {"threshold__0": None, "threshold__1": None, "threshold__3": None, "margin": -2},
        "2 °C beyond its own limit",
        "fans",
    ),
    ("power", {"power_limit": 300000}, "300 W where 700 W is its default", "-pl 700"),
    ("clocks", {"clock_set__1": 1200}, "SM clock is set to 1200 MHz where 1980 MHz", "-rac"),
    ("clocks", {"clock_set__2": 1000}, "memory clock is set to 1000 MHz", "-rac"),
    ("fabric", {"fabric__state": 1}, "has not begun", "nvidia-fabricmanager"),
    ("fabric", {"fabric__state": 2}, "is not finished", "nvidia-fabricmanager"),
    ("fabric", {"fabric__status": 999}, "code 999", "nvidia-fabricmanager"),
    ("modes", {"compute_mode": 2}, "PROHIBITED: no process", "-c DEFAULT"),
    ("modes", {"compute_mode": 3}, "EXCLUSIVE_PROCESS: only one", "-c DEFAULT"),
    ("pcie", {"pcie__width": 8}, "runs on 8 of 16 lanes", "reseat"),
    ("pcie", {"pcie__generation": 1}, "generation 1 of 5 under load", "reseat"),
    ("nvlink", {"link__4": 0}, "17 of its 18 NVLinks are up; down: 4", "nvlink -s"),
    (
        "others",
        {"compute__count": 1, "compute__0__pid": 4194000, "compute__0__memory": 5 << 30},
        "5120 MiB",
        "CUDA_VIS",
    ),
    ("throttling", {"throttle": 0x8}, "halves its clocks or more (HW slowdown)", "power supply"),
    ("throttling", {"throttle": 0x20}, "for heat (SW thermal slowdown)", "fans"),
    ("throttling", {"throttle": 0x44}, "HW thermal slowdown", "fans"),
    ("throttling", {"throttle": 0x80}, "HW power brake", "power supply"),
]


@pytest.mark.parametrize(
    ("name", "changes", "words", "fix"), SICK, ids=[f"{n}-{next(iter(c))}-{w[:9]}" for n, c, w, _ in SICK]
)
def test_a_sick_gpu(machine, name, changes, words, fix):
    """F39: each thing that a GPU reports against itself is told in words, with what to do."""
    for key, function in (("sram_exceeded", "SramEccErrorStatus"), ("margin", "MarginTemperature")):
        if key in changes and not hasattr(pynvml, f"nvmlDeviceGet{function}"):
            pytest.skip(f"nvidia-ml-py is too old to ask for {key}")
    trouble = judge(name, machine.gpu(**changes)).troubles[0]

    assert words in trouble.text
    assert fix in trouble.fix
    assert trouble.expected


REMARKS = [
    ("memory_errors", {"ecc__corrected__volatile": 7}, "7 corrected memory errors"),
    ("memory_errors", {"ecc__uncorrected__aggregate": 2}, "2 uncorrected memory errors in its life"),
    ("remapped_rows", {"rows__uncorrected": 2}, "2 rows remapped for uncorrected"),
    ("remapped_rows", {"banks__none": 1}, "1 memory banks have no spare row left"),
    ("modes", {"persistence": 0}, "persistence mode is off"),
    ("modes", {"ecc_pending": 0}, "ECC will be off after the next reset"),
    ("modes", {"mig": 1, "mig3__uuid": "MIG-x"}, "1 MIG devices"),
    ("others", {"graphics__count": 1, "graphics__0__pid": 7}, "1 processes draw on it"),
    ("throttling", {"throttle": 0x6}, "limited by the power limit"),
]


@pytest.mark.parametrize(("name", "changes", "words"), REMARKS, ids=[f"{n}-{w[:12]}" for n, _, w in REMARKS])
def test_what_is_no_fault(machine, name, changes, words):
    """What is worth knowing is told, and fails nothing."""
    opinion = judge(name, machine.gpu(**changes))

    assert opinion.troubles == []
    assert any(words in remark for remark in opinion.remarks)


#: Question of NVML that each judgement rests on → key of the scenario that holds nonsense for it.
RESTS_ON = [
    ("memory_errors", "nvmlDeviceGetTotalEccErrors", ("ecc__uncorrected__volatile", 2**64 - 1)),
    ("memory_errors", "nvmlDeviceGetEccMode", ("ecc", 5)),
    ("remapped_rows", "nvmlDeviceGetRemappedRows", ("rows__corrected", 513)),
    ("temperature", "nvmlDeviceGetTemperature", ("temperature", -40)),
    ("power", "nvmlDeviceGetEnforcedPowerLimit", ("power_limit", 0)),
    ("power", "nvmlDeviceGetPowerManagementDefaultLimit", ("power_default", 2**32 - 1)),
    ("fabric", "nvmlDeviceGetGpuFabricInfo", ("fabric__state", 9)),
    ("modes", "nvmlDeviceGetComputeMode", ("compute_mode", 11)),
    ("pcie", "nvmlDeviceGetCurrPcieLinkWidth", ("pcie__width", 77)),
    ("pcie", "nvmlDeviceGetMaxPcieLinkWidth", ("pcie__width_max", 0)),
    ("pcie", "nvmlDeviceGetCurrPcieLinkGeneration", ("pcie__generation", 0)),
    ("nvlink", "nvmlDeviceGetNvLinkState", ("link__0", 7)),
    ("others", "nvmlDeviceGetComputeRunningProcesses_v3", ("compute__count", 1)),
    ("throttling", "nvmlDeviceGetCurrentClocksEventReasons", ("throttle", 2**64 - 1)),
]


@pytest.mark.parametrize(
    ("name", "function", "nonsense"), RESTS_ON, ids=[f"{n}-{f[16:]}" for n, f, _ in RESTS_ON]
)
@pytest.mark.parametrize("way", ["refused", "unknown", "nonsense"])
def test_what_can_not_be_judged(machine, name, function, nonsense, way):
    """A counter that is refused, fails or is nonsense is neither a fault nor a pass, and says why."""
    changes = (
        dict([nonsense]) if way == "nonsense" else {f"fail__{function}": {"refused": 4, "unknown": 999}[way]}
    )
    opinion = judge(name, machine.gpu(**changes))

    assert opinion.troubles == []
    assert not opinion.judged
    assert opinion.lacks == []
    assert {"refused": "refused", "unknown": "error", "nonsense": "nonsense"}[way] in opinion.unread[0]


LACKS = [
    ("memory_errors", {"ecc": None}, "memory with error correction"),
    ("memory_errors", {"ecc": 0}, "switched on"),
    ("remapped_rows", {"ecc": None, "rows__corrected": None}, "rows that could be remapped"),
    ("power", {"power_limit": None, "power_default": None}, "a power limit"),
    ("clocks", {"clock_set__1": None, "clock_set__2": None}, "clocks that can be set"),
    ("fabric", {"fabric__state": 0}, "NVSwitches"),
    ("fabric", {"fabric__state": None}, "NVSwitches"),
    ("fabric", {"major": 8, "fail__nvmlDeviceGetGpuFabricInfo": 13}, "NVSwitches"),
    ("nvlink", {"link__0": None}, "NVLink"),
    (
        "pcie",
        {
            "pcie__width": None,
            "pcie__width_max": None,
            "pcie__generation": None,
            "pcie__generation_max": None,
        },
        "PCIe",
    ),
]


@pytest.mark.parametrize(
    ("name", "changes", "words"), LACKS, ids=[f"{n}-{next(iter(c))}" for n, c, _ in LACKS]
)
def test_what_a_gpu_has_not(machine, name, changes, words):
    """A GeForce without ECC, a card without NVLink: there is nothing to judge, and nothing unread."""
    opinion = judge(name, machine.gpu(**changes))

    assert (opinion.troubles, opinion.unread) == ([], [])
    assert any(words in lack for lack in opinion.lacks)


def test_rows_that_ecc_memory_does_not_tell_of(machine):
    """Memory with ECC and no word of its rows is not judged; with MIG on NVML does not tell at all."""
    silent = judge("remapped_rows", machine.gpu(rows__corrected=None))
    cut = judge("remapped_rows", machine.gpu(rows__corrected=None, mig=1))

    assert "though its memory has ECC" in silent.unread[0]
    assert "MIG" in cut.unread[0]


def test_a_generation_that_may_be_that_of_an_idle_gpu(machine):
    """A low generation is judged under load alone; more than the most is nonsense."""
    assert "may idle" in judge("pcie_idle", machine.gpu(pcie__generation=1)).unread[0]
    assert "of at most 5" in judge("pcie", machine.gpu(pcie__generation=6)).unread[0]
    assert "lanes of at most 16" in judge("pcie", machine.gpu(pcie__width=32)).unread[0]


def test_fewer_links_than_its_peer(machine):
    """Links between GPUs that are down on one alone are a fault; down on both, they are not connected."""
    bridged = {f"gpu{n}__link_type__{link}": 0 for n in (0, 1) for link in range(18)}
    both = {f"gpu{n}__link__{link}": 0 for n in (0, 1) for link in range(4, 18)}
    equal = machine.read(**bridged, **both)
    unequal = machine.read(**bridged, **both, gpu0__link__1=0)

    assert judge_links(equal).troubles == []
    assert "14 of 18 NVLinks are not connected" in judge_links(equal).remarks[0]
    assert "3 of its 18 NVLinks are up" in judge_links(unequal).troubles[0].text


def judge_links(snapshot):
    return health.nvlink(snapshot.gpus[0], "cuda:0", peers=snapshot.gpus)


def test_processes_that_nobody_sees(machine):
    """Memory in use and no process to be seen is not "nobody": containers see their own alone."""
    opinion = judge("others", machine.gpu(used=20 << 30))

    assert "20480 MiB of its memory are in use" in opinion.unread[0]


def test_our_own_processes_are_nobody_else(machine):
    """Those of this run do not count."""
    gpu = machine.gpu(compute__count=1, compute__0__pid=os.getpid(), compute__0__memory=1)

    assert judge("others", gpu).troubles == []
    assert os.getpid() in health.own_processes()
    assert (
        "pytest" in judge_strangers(gpu).troubles[0].text or "python" in judge_strangers(gpu).troubles[0].text
    )


def judge_strangers(gpu):
    return health.others(gpu, "cuda:0", own={1})


GROWN = [
    ({"ecc__uncorrected__volatile": 1}, 60, "1 uncorrected memory errors during the run"),
    ({"ecc__corrected__volatile": 4}, 60, "4 corrected memory errors during the run"),
    ({"pcie__replays": 9}, 60, "9 PCIe packets had to be sent again"),
    ({"pcie__replays": 9}, 1, "9 PCIe packets had to be sent again"),
    ({"link_errors__7__0": 1}, 60, "NVLink 7 counted 1 replays"),
    ({"link_errors__7__1": 1}, 60, "NVLink 7 counted 1 recoveries"),
    ({"link_errors__2__2": 6001}, 60, "NVLink 2 counted 6001 crc flit"),
]


@pytest.mark.parametrize(("changes", "seconds", "words"), GROWN, ids=[w[:24] for _, _, w in GROWN])
def test_counters_that_grow(machine, changes, seconds, words):
    """Errors that were counted during the run are told, each with its number."""
    opinion = health.grown(machine.gpu(), machine.gpu(**changes), "cuda:0", seconds=seconds)

    assert words in opinion.troubles[0].text


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [({"pcie__replays": 8}, 10), ({"pcie__replays": 80}, 600), ({"link_errors__2__2": 5}, 60)],
)
def test_counters_that_may_grow(machine, changes, seconds):
    """As many replays and CRC errors as NVIDIA allows are remarks."""
    opinion = health.grown(machine.gpu(), machine.gpu(**changes), "cuda:0", seconds=seconds)

    assert opinion.troubles == []
    assert opinion.remarks


def test_counters_that_are_lost_or_fall(machine):
    """A counter that is refused at the end is not judged; one that has fallen tells of a reset."""
    before = machine.gpu(pcie__replays=5)
    refused = health.grown(before, machine.gpu(fail__nvmlDeviceGetPcieReplayCounter=4), "cuda:0", seconds=1)
    fallen = health.grown(before, machine.gpu(pcie__replays=0), "cuda:0", seconds=1)

    assert refused.unread == ["pcie_replays at the end: refused: Insufficient Permissions"]
    assert "fell from 5 to 0" in fallen.troubles[0].text


def test_held_down_between(machine):
    """Heat that came and went during the run is seen in the time that it has held clocks down."""
    hot = machine.gpu(violation__1=1_500_000_000)

    assert "by heat for 1.5 s" in health.throttling(machine.gpu(), hot, "cuda:0").troubles[0].text
    assert health.throttling(hot, hot, "cuda:0").troubles == []
    capped = health.throttling(machine.gpu(), machine.gpu(violation__0=10**9), "cuda:0")
    assert capped.troubles == []
    assert (
        "by the power limit for 1 s" in capped.remarks[0]
        or "by the power limit for 1 s" in capped.remarks[-1]
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"power_limit": 350000}, "power limit (W) changed from 700 to 350"),
        ({"pcie__width": 4}, "PCIe lanes changed from 16 to 4"),
        ({"mig": 1, "mig_pending": 1}, "MIG mode (now, after reset) changed from [0, 0] to [1, 1]"),
        ({"rows__pending": 1}, "pending 0, failed 0 to corrected 0, uncorrected 0, pending 1"),
        ({"link__9": 0}, "17 NVLinks are up, 18 were"),
    ],
)
def test_settings_that_change(machine, changes, words):
    """What somebody, or a fault, changed during the run is told with both values."""
    opinion = health.changed(machine.gpu(), machine.gpu(**changes), "cuda:0")

    assert words in opinion.troubles[0].text


def test_settings_that_are_no_longer_told(machine):
    """A setting that can't be read at the end is not unchanged."""
    opinion = health.changed(machine.gpu(), machine.gpu(fail__nvmlDeviceGetComputeMode=4), "cuda:0")

    assert opinion.troubles == []
    assert opinion.unread == ["compute_mode at the end: refused: Insufficient Permissions"]


def test_what_was_lost(machine):
    """F35: a GPU that is no longer listed, reached or told apart was lost; one that was never there was not."""
    before = machine.read()
    for changes, why in (
        ({"count": 1}, "no longer listed"),
        ({"gpu1__fail__nvmlDeviceGetHandleByIndex_v2": 15}, "GPU lost: GPU is lost"),
        ({"gpu1__fail__nvmlDeviceGetTemperature": 15}, "GPU lost: GPU is lost"),
        ({"gpu1__fail__nvmlDeviceGetUUID": 999, "gpu1__pci": None}, "no longer listed"),
        ({"fail__nvmlInitWithFlags": 999}, "Unknown Error"),
    ):
        lost = health.lost(before, machine.read(**changes))
        assert lost[before.gpus[1].label()] == why, changes
        assert len(lost) == (2 if "fail__nvmlInitWithFlags" in changes else 1)
    gone = machine.read(gpu1__fail__nvmlDeviceGetHandleByIndex_v2=15)

    assert health.lost(before, before) == {}
    assert health.lost(gone, gone) == {}
    assert health.lost(before, machine.read(gpu1__fail__nvmlDeviceGetUUID=4)) == {}


LOG = """\
6,1,1000000,-;Linux version 6.1
4,2,5140900,-;NVRM: Xid (PCI:0000:18:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
4,3,5150900,-;NVRM: Xid (PCI:0000:19:00): 31, pid=7, name=python, Ch 00000008
 SUBSYSTEM=pci
"""


def test_xids_in_the_kernels_log(machine):
    """An Xid of the run is a fault; one of before can't be judged; those of programs are remarks."""
    one, other = machine.read().gpus
    log = parse_log(LOG.splitlines()), ""
    quiet = [], ""

    assert [xid.code for xid in log[0]] == [79, 31]
    during = health.judge_xids(one, "cuda:0", since=5.0, log=log, heard=quiet)
    assert "Xid 79 (it has fallen off the bus) during the run" in during.troubles[0].text
    before = health.judge_xids(one, "cuda:0", since=60.0, log=log, heard=quiet)
    assert (before.troubles, len(before.unread)) == ([], 1)
    of_a_program = health.judge_xids(other, "cuda:1", since=5.0, log=log, heard=quiet)
    assert of_a_program.judged
    assert "Xid 31" in of_a_program.remarks[0]


def test_xids_that_nobody_could_hear(machine):
    """With the log closed and nobody listening nothing is known; one of the two is enough."""
    gpu, closed, quiet = machine.gpu(), ([], "/dev/kmsg: Operation not permitted"), ([], "")

    assert not health.judge_xids(gpu, "g", since=0, log=closed, heard=([], "deaf")).judged
    assert health.judge_xids(gpu, "g", since=0, log=closed, heard=quiet).judged
    heard = health.judge_xids(gpu, "g", since=0, log=closed, heard=([Xid(48, uuid=uuid_of(0))], ""))
    assert "Xid 48 (an uncorrected memory error)" in heard.troubles[0].text


def test_the_kernels_log_may_be_closed(tmp_path):
    """A log that can't be read says why; an empty one has no Xids."""
    assert health.kernel_log(tmp_path / "kmsg")[1].endswith("No such file or directory")
    (tmp_path / "kmsg").write_text(LOG)
    assert [xid.code for xid in health.kernel_log(tmp_path / "kmsg")[0]] == [79, 31]


def test_listening_for_xids(machine, monkeypatch):
    """An event that comes while a process listens is heard, with the GPU that it is of."""
    for name, value in machine.gpus.environment().items():
        monkeypatch.setenv(name, value)
    machine.read(gpu1__fail__nvmlDeviceRegisterEvents=3)
    listener = health.Listener()
    wait_for(listener, "listening")
    machine.read(xid=79, xid_gpu=1, gpu1__fail__nvmlDeviceRegisterEvents=3)
    wait_for(listener, "xid")
    xids, deaf = listener.heard()

    assert xids == [Xid(79, uuid=uuid_of(1))]
    assert deaf == "deaf 1: not supported: Not Supported"


def test_listening_where_there_is_nothing_to_hear(machine, monkeypatch):
    """A listener that could not begin says why."""
    for name, value in machine.gpus.environment().items():
        monkeypatch.setenv(name, value)
    machine.read(fail__nvmlEventSetCreate=3)
    listener = health.Listener()
    listener._child.wait()

    assert "Not Supported" in listener.heard()[1]


def wait_for(listener, word):
    """Until the child has said so."""
    deadline = time.monotonic() + 20
    while word not in listener._child.said():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_load_on_a_device():
    """A device is being copied to while the block runs; one that can't be copied to is no load."""
    with copying(["cpu"]) as loaded:
        assert loaded
    with copying(["meta-of-nowhere"]) as loaded:
        assert not loaded


def test_an_opinion_is_judged_only_where_nothing_is_missing():
    """Lacking and unread are told apart, and neither is a judgement."""
    assert Opinion("g").judged
    assert not Opinion("g", unread=["x"]).judged
    assert not Opinion("g", lacks=["x"]).judged
    assert nvml.NvmlGpu(index=0).lost == ""
