"""gnnbench.environment.nvml: the real nvidia-ml-py against a library that refuses, lies, crashes and hangs."""

import time
from dataclasses import replace

import pytest

from gnnbench.environment import CudaGpu, cuda, hardware, nvml, topology
from gnnbench.environment.nvml import Loss
from gnnbench.faults.fake_gpus import sound, uuid_of

ALL_ONES_32, ALL_ONES_64 = 2**32 - 1, 2**64 - 1


@pytest.fixture
def installed(machine, monkeypatch):
    """The fake libraries, for this process and its children, with nothing read of them yet."""
    for name, value in machine.gpus.environment().items():
        monkeypatch.setenv(name, value)
    machine.gpus.install()
    for reader in (nvml.first, cuda.driver):
        reader.cache_clear()
    yield machine.gpus
    for reader in (nvml.first, cuda.driver):
        reader.cache_clear()


def test_a_sound_machine(machine):
    """Every question that a data-centre GPU answers is read, with its unit."""
    snapshot = machine.read()
    gpu = snapshot.gpus[0]

    assert snapshot.problem is None
    assert snapshot.versions["driver"].value == "550.54.15"
    assert (gpu.uuid, gpu.name, gpu.value("capability")) == (uuid_of(0), "NVIDIA H100 80GB HBM3", "9.0")
    assert (gpu.value("power_limit"), gpu.value("temperature_slowdown")) == (700, 89)
    assert gpu.value("memory") == {"total": 85520809984, "used": 4 << 20, "with_reserved": False}
    assert gpu.value("cpu_affinity") == list(range(16))
    assert len(gpu.links) == 18
    assert {link.far_end for link in gpu.links} == {"switch"}
    assert gpu.levels == {"1": "SYS"}
    unread = {name for name, reading in gpu.readings.items() if reading.loss} - {"sram_threshold_exceeded"}
    # An H100 has row remapping in place of page retirement, and thresholds in place of a margin.
    assert unread == {
        "retired_pages_single", "retired_pages_double", "retired_pages_pending", "temperature_margin"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "loss"),
    [
        (3, Loss.UNSUPPORTED),
        (4, Loss.REFUSED),
        (13, Loss.ABSENT),
        (15, Loss.LOST),
        (999, Loss.ERROR),
        (77, Loss.ERROR),
    ],
)
def test_one_refusal_costs_one_reading(machine, code, loss):
    """Whatever one question is answered with, all others are read, and the reason is kept."""
    gpu = machine.gpu(fail__nvmlDeviceGetTemperature=code)

    assert gpu["temperature"].loss is loss
    assert gpu["temperature"].why.startswith(loss.value)
    assert gpu.value("power_limit") == 700
    assert bool(gpu.lost) is (loss is Loss.LOST)


NONSENSE = [
    ("temperature", "temperature", -40),
    ("temperature", "temperature", 5000),
    ("pcie__width", "pcie_width", 0),
    ("pcie__width", "pcie_width", 77),
    ("pcie__generation", "pcie_generation", 0),
    ("pcie__replays", "pcie_replays", ALL_ONES_32),
    ("power_limit", "power_limit", 0),
    ("power_limit", "power_limit", ALL_ONES_32),
    ("clock_max__1", "clock_sm_max", 0),
    ("throttle", "throttling", ALL_ONES_64),
    ("violation__1", "throttled_thermal_ns", ALL_ONES_64),
    ("ecc__uncorrected__volatile", "ecc_uncorrected_volatile", ALL_ONES_64),
    ("ecc", "ecc_mode", 7),
    ("mig", "mig_mode", 9),
    ("rows__uncorrected", "remapped_rows", 513),
    ("rows__failed", "remapped_rows", 5),
    ("banks__none", "spare_banks", ALL_ONES_32),
    ("pages_pending", "retired_pages_pending", 12),
    ("compute_mode", "compute_mode", 4),
    ("memory", "memory", 0),
    ("used", "memory", 2**50),
    ("fabric__state", "fabric", 99),
    ("pstate", "performance_state", 32),
    ("link__0", "links", 6),
    ("name", "name", r"\xff\xfe"),
    ("name", "name", r"\x07 \x1b"),
    ("uuid", "uuid", r"\x00"),
    ("vbios", "vbios", r"\x20"),
    ("major", "capability", -1),
    ("pci", "pci_bus_id", r"\xc3\x28"),
]


@pytest.mark.parametrize(("key", "name", "value"), NONSENSE, ids=[f"{n}={v}" for _, n, v in NONSENSE])
def test_nonsense_is_no_value(machine, key, name, value):
    """What can't be is never taken for a value, and what was said is kept."""
    gpu = machine.gpu(**{key: value})

    assert gpu.value(name) is None
    assert gpu[name].loss in (Loss.NONSENSE, Loss.ERROR)
    assert gpu[name].said
    assert gpu.value("power_default") == 700


def test_any_call_may_fail(machine):
    """With each call failing in turn, from the first to the last, no more is lost than was asked by it."""
    few_links = {f"gpu{n}__link__3": None for n in (0, 1)}
    clean = machine.read(**few_links)
    answered = sum(reading.loss is None for gpu in clean.gpus for reading in gpu.readings.values())
    struck = 0
    for call in range(3, 170):
        snapshot = machine.read(**few_links, **{f"fail___{call}": 999})
        kept = [sum(one.loss is None for one in gpu.readings.values()) for gpu in snapshot.gpus]
        assert snapshot.problem is None
        assert len(kept) == 2
        if any("temperature" not in gpu.readings for gpu in snapshot.gpus):
            assert max(kept) == answered / 2  # its handle was refused, and the other GPU's was not
        else:
            assert sum(kept) >= answered - 1
        struck += replace(snapshot, taken_s=0) != replace(clean, taken_s=0)

    assert struck > 120


def test_more_gpus_counted_than_there_are(machine):
    """A GPU that is counted and has no handle is a GPU that does not answer, and costs no other."""
    snapshot = machine.read(count=4)

    assert [bool(gpu.lost) for gpu in snapshot.gpus] == [False, False, True, True]
    assert snapshot.gpus[0].value("temperature") == 36


@pytest.mark.parametrize(
    ("code", "words", "fix"),
    [
        (18, "different versions", "reboot the host"),
        (15, "fallen off the bus", "dmesg"),
        (8, "power cable", "power connector"),
        (9, "kernel's NVIDIA module is not loaded", "modprobe"),
        (16, "must be reset", "gpu-reset"),
    ],
)
def test_why_nvml_does_not_start(machine, code, words, fix):
    """What initialising answers is named, explained and comes with what to do."""
    problem = machine.read(fail__nvmlInitWithFlags=code).problem

    assert problem.code == code
    assert words in problem.cause
    assert fix in problem.fix
    assert problem.faulty


@pytest.mark.parametrize("count", [ALL_ONES_32, 5000])
def test_a_number_of_gpus_that_can_not_be(machine, count):
    """Billions of GPUs are not asked."""
    assert "can't be read" in machine.read(count=count).problem.said


def test_no_library(monkeypatch):
    """Without a library no process is spent on it, and the loader's words are kept."""
    monkeypatch.setattr("gnnbench.environment.nvml.snapshot.LIBRARY", "libnvidia-ml-of-nowhere.so.1")
    snapshot = nvml.take()

    assert "libnvidia-ml-of-nowhere" in snapshot.problem.said
    assert not snapshot.problem.faulty


def test_a_question_that_crashes_is_left_out(installed):
    """A driver that dies of one question answers the others at the second try."""
    installed.say({**sound(), "gpu1.crash.nvmlDeviceGetRemappedRows": 1})
    snapshot = nvml.take()

    assert snapshot.problem is None
    assert snapshot.gpus[1]["remapped_rows"].why == "error: the process that asked died of it"
    assert snapshot.gpus[0].value("remapped_rows")["failed"] == 0
    assert snapshot.gpus[1].value("temperature") == 36


def test_a_driver_that_always_crashes(installed):
    """One that dies whatever it is asked is given up, and told."""
    installed.say({**sound(), "crash.nvmlInitWithFlags": 1})
    problem = nvml.take().problem

    assert "SIGSEGV" in problem.said
    assert problem.faulty


def test_a_question_that_is_never_answered(installed):
    """A driver that hangs costs the time it is given, and is told with what it was asked last."""
    installed.say({**sound(), "gpu1.hang.nvmlDeviceGetPcieReplayCounter": 1})
    started = time.monotonic()
    problem = nvml.take(timeout=1.0).problem

    assert time.monotonic() - started < 5
    assert problem.said.endswith("no end within 1 s, last asked for pcie_replays of GPU 1")
    assert problem.faulty


def cuda_gpu(ordinal, uuid, address=""):
    return CudaGpu(ordinal=ordinal, uuid=uuid, name="G", memory_bytes=1, capability="9.0", pci_bus_id=address)


def test_joined_on_uuid_whatever_the_order(machine):
    """F36: the second of CUDA may be the first of NVML; the UUID says so, in any spelling."""
    snapshot = machine.read()
    ours = [
        cuda_gpu(0, uuid_of(1).upper().replace("GPU-", "GPU-")),
        cuda_gpu(1, uuid_of(0)),
        cuda_gpu(2, "GPU-ff"),
    ]

    found = snapshot.of(ours)

    assert [found[n] and found[n].index for n in range(3)] == [1, 0, None]


def test_joined_on_the_pci_address_where_the_uuid_is_refused(machine):
    """A UUID that can't be read costs neither the GPU nor its partner."""
    snapshot = machine.read(gpu1__fail__nvmlDeviceGetUUID=4)
    found = snapshot.of([cuda_gpu(0, uuid_of(1), "0000:19:00.0"), cuda_gpu(1, uuid_of(0), "0000:18:00.0")])

    assert [found[0].index, found[1].index] == [1, 0]


def test_two_gpus_with_one_uuid_are_nobodys(machine):
    """Where NVML gives one UUID twice, neither is taken for it."""
    snapshot = machine.read(gpu1__uuid=uuid_of(0))

    assert snapshot.of([cuda_gpu(0, uuid_of(0))]) == {0: None}


@pytest.mark.parametrize(
    ("name", "uuid"),
    [
        ("MIG-0000abcd-1111-2222-3333-444444444444", "GPU-0000abcd-1111-2222-3333-444444444444"),
        (f"MIG-{uuid_of(0)}/7/0", uuid_of(0)),
    ],
)
def test_a_mig_device_belongs_to_its_gpu(machine, name, uuid):
    """F37: slots have gaps; old names hold their GPU's UUID, new ones their own."""
    snapshot = machine.read(gpu0__mig=1, gpu0__mig5__uuid=name)

    assert snapshot.gpus[0].mig
    assert snapshot.gpus[0].mig_uuids == (name,)
    assert snapshot.of([cuda_gpu(0, uuid)])[0].index == 0


def test_facts_of_the_gpus(installed):
    """Facts are those of the GPUs in use, in CUDA's order; what can't be read says why and breaks nothing."""
    scenario = {
        **sound(3),
        "cuda_count": 2,
        "gpu1.pcie.width": 4,
        "gpu0.temperature": 5000,
        "gpu2.power_limit": 1000,
    }
    scenario |= {"cuda0.uuid": uuid_of(1), "cuda1.uuid": uuid_of(0), "gpu0.link.0": 0}
    installed.say(scenario)
    facts = {spec.key: spec.fact() for spec in (*hardware.FACTS, *topology.FACTS)}

    assert [fact.error for fact in facts.values() if fact.error] == []
    assert facts["hardware.gpu_count"].value == 2
    assert facts["hardware.capabilities"].value == ["9.0"]
    assert facts["hardware.pcie_width"].value == 4
    assert facts["hardware.power_limit"].value == 700
    assert facts["hardware.ecc"].value == [True, True]
    assert [gpu["ordinal"] for gpu in facts["hardware.gpus"].value] == [1, 0, None]
    unread = facts["hardware.gpus_unread"].value[f"GPU 0 (NVIDIA H100 80GB HBM3, {uuid_of(0)})"]
    assert unread["temperature"] == "nonsense: it says 5000"
    assert facts["hardware.nvlink"].value == {"0": {"switch": 17}, "1": {"switch": 18}, "2": {"switch": 18}}
    assert facts["hardware.topology"].value["0"] == {"1": "NVS", "2": "NVS"}
    assert facts["hardware.peer_access"].value == [[None, True], [True, None]]
    assert facts["hardware.cpu_affinity"].value[uuid_of(0)] == "0-15"
    assert [device.uuid for device in hardware.devices()[1:]] == [uuid_of(1), uuid_of(0)]


def test_facts_where_nvml_is_broken(installed):
    """A driver that NVML can't speak with is told by the facts that need it, and costs no other."""
    installed.say({**sound(), "fail.nvmlInitWithFlags": 18})
    facts = {spec.key: spec.fact() for spec in (*hardware.FACTS, *topology.FACTS)}

    assert "different versions" in facts["hardware.gpus"].error
    assert facts["hardware.gpu_count"].value == 2
    assert facts["hardware.pcie_width"].value is None
    assert {key for key, fact in facts.items() if fact.error} == {"hardware.gpus", "hardware.driver_version"}
    assert len(hardware.devices()) == 3


def test_where_a_gpu_hangs(machine, tmp_path):
    """The kernel's files say it by PCI address; -1, absence and nonsense are no node."""
    gpu = machine.gpu(cpus=None)
    folder = tmp_path / "0000:18:00.0"
    assert topology.numa_node(gpu, tmp_path) is None

    folder.mkdir()
    for text, expected in (("1\n", 1), ("-1\n", None), ("what\n", None)):
        (folder / "numa_node").write_text(text)
        assert topology.numa_node(gpu, tmp_path) == expected
    (folder / "local_cpulist").write_text("0-15,32-47\n")

    assert topology.cpus(gpu, tmp_path) == "0-15,32-47"


def test_nvlinks_lead_somewhere(machine):
    """Links from GPU to GPU are counted by where they lead."""
    links = {f"gpu{one}__link_type__{n}": 0 for one in (0, 1) for n in range(18)}
    ends = {
        f"gpu{one}__link_pci__{n}": f"00000000:{0x19 - one:02X}:00.0" for one in (0, 1) for n in range(18)
    }
    snapshot = machine.read(**links, **ends)

    assert topology.nvlinks(snapshot) == {"0": {"1": 18}, "1": {"0": 18}}
    assert topology.matrix(snapshot) == {"0": {"1": "NV18"}, "1": {"0": "NV18"}}
