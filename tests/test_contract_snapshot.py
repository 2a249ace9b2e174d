"""gnnbench.contract.snapshot: what is written holds where it was written, and no line of it is idle."""

import dataclasses
import re

import pytest
from contracts import FOUR_GPUS, broken, falsified, result, rulings_not_held, run_of, vocabulary

from gnnbench.contract import Known, parse_contract, snapshot
from gnnbench.contract.snapshot import USUALLY_UNSET
from gnnbench.environment import collect
from gnnbench.environment.variables import is_recorded
from gnnbench.record import Fact, Outcome, dumps, loads

RESULTS = (
    result("environment/gpu/present"),
    result("environment/gpu/driver", Outcome.NOT_APPLICABLE),
    result("environment/device/matmul[cpu]", Outcome.NOT_APPLICABLE),
    result("memory/peak/one"),
)


@pytest.fixture(scope="module")
def machine():
    """This machine, as a document has it."""
    return loads(dumps(run_of(collect(), *RESULTS))).environment


def read(text):
    return parse_contract(text, "contract.toml", vocabulary())


@pytest.fixture(scope="module", params=["this machine", "four GPUs"])
def found(request, machine):
    return machine if request.param == "this machine" else FOUR_GPUS


def test_it_holds_where_it_was_written(found):
    """Read back, every clause holds, and the checks that were not applicable may be so."""
    contract = read(snapshot(run_of(found, *RESULTS)))

    assert broken(contract, found) == []
    assert len(contract.clauses) > 30
    assert contract.forbids("environment/gpu/driver") is None
    assert contract.forbids("environment/device/matmul[cpu]") is None
    assert contract.forbids("environment/gpu/present").key == "not_applicable.environment"
    assert contract.forbids("memory/peak/one").key == "not_applicable.memory"
    assert contract.forbids("precision/training/one") is None


def lines_of(text):
    """(number, line) of each line that asks for something, up to the checks that may be not applicable."""
    for number, line in enumerate(text.splitlines(), 1):
        if line == "[not_applicable]":
            return
        if line and line[0] not in "#[]" and not line.endswith("[") and not line.startswith("schema"):
            yield number, line


def worse(found, clause):
    """The image instead of the contract made false, where no line could ask for more."""
    variables = found.facts["variables.set"]
    facts = {
        "variables.set": dataclasses.replace(
            variables, value={**variables.value, clause.place.key[16:-1]: "1"}
        )
    }
    if hasattr(clause, "fact"):
        facts = {clause.fact: dataclasses.replace(found.facts[clause.fact], value=1)}
    return dataclasses.replace(found, facts={**found.facts, **facts})


def test_every_line_can_fail(found):
    """Each line falsified in turn breaks its own clause alone, which names line and key."""
    text = snapshot(run_of(found, *RESULTS))
    lines = text.splitlines()
    clauses = {clause.place.line: clause for clause in read(text).clauses}
    tried = 0
    for number, line in lines_of(text):
        clause = clauses.get(number)
        other = falsified(line, clause)
        image = found if other is not None else worse(found, clause)
        contract = read("\n".join([*lines[: number - 1], line if other is None else other, *lines[number:]]))
        ((failed, said),) = rulings_not_held(contract, image)
        tried += 1

        assert said.startswith(f"contract.toml:{number}: {failed.place.key}"), (line, other)
        assert ": expected " in said
        assert ", found " in said
    assert tried >= len(clauses) > 30


def test_every_check_that_may_be_not_applicable_is_needed(found):
    """Each of their lines taken out or changed forbids its own check, and names the line of the suite."""
    text = snapshot(run_of(found, *RESULTS))
    for check in ("environment/gpu/driver", "environment/device/matmul[cpu]"):
        line = f'    "{check.partition("/")[2]}",'
        assert text.count(line) == 1
        forbidden = read(text.replace(line, '    "another",')).forbids(check)
        number = text.splitlines().index("environment = [") + 1
        assert forbidden.where == f"contract.toml:{number}: not_applicable.environment"


def test_what_is_written_of_four_gpus():
    """Exact where nothing may change, at least and rounded down where more is as good, nothing of this host alone."""
    text = snapshot(run_of(FOUR_GPUS, *RESULTS))

    assert set(text.splitlines()) >= {
        'torch = "==2.8.0+cu121"',
        'odd = "===1.0-weird"',
        "gpu_count = 4",
        "gpu_models = [",
        'driver_version = "550.54.14"',
        'memory = "1 TiB"',
        'shm_size = "1 GiB"',
        'memlock = "unlimited"',
        "hip = false",
        '    "sm_90",',
        "[pyg.flags]",
        "WITH_TORCH_SCATTER = true",
        '"libcudnn.so.9" = "==9.1.0"',
        '    "torch_scatter",',
        '    "P2P",',
        "CUDA_VISIBLE_DEVICES = true",
        "TORCH_ODD = true",
        'NCCL_DEBUG = "WARN"',
        'LD_LIBRARY_PATH = "/usr/local/nvidia/lib:/a \\"quoted\\" path\\\\"',
        "# Devices: cuda:0 NVIDIA H100",
        "# From 20261124T081502Z-3fa9c1, which began 2026-11-24T08:15:02Z with gnnbench 0.1.0, tier smoke.",
    }
    assert text.count("NVIDIA H100 80GB HBM3") == 1
    for absent in (
        "AMD EPYC",
        "gnnbench =",
        "GPU-4f2a9c",
        "address_space",
        "blas",
        '\nversion = "==2.8.0',
        '"pyg_lib"',
        '    "NCCL_DEBUG"',
    ):
        assert absent not in text
    assert snapshot(run_of(FOUR_GPUS, *RESULTS)) == text


def test_nothing_of_this_boot_or_host(machine):
    """Host name, kernel, free memory, user and processor stay out of it."""
    text = snapshot(run_of(machine, *RESULTS))
    for key in ("system.kernel", "hardware.cpu_model", "python.executable", "git.commit", "torch.threads"):
        value = machine.value(key)
        assert value is None or toml(value) not in re.sub("#.*", "", text), key
    assert "shm_free" not in text


def toml(value):
    return f'"{value}"' if isinstance(value, str) else f"threads = {value}"


def test_a_new_fact_needs_no_more_than_a_rule():
    """Whatever its group: it is written, read, held, and broken, without a word of it in this room."""
    rules = {"equal": ["a", "b"], "at least": 7, "includes": ["x"], "specifier": "1.2"}
    names = {f"novel.{rule.replace(' ', '_')}": (rule, value) for rule, value in rules.items()}
    image = dataclasses.replace(
        FOUR_GPUS,
        facts={
            key: Fact(value=value, title="", group="novel", rule=rule) for key, (rule, value) in names.items()
        },
    )
    words = dataclasses.replace(
        vocabulary(), facts={key: Known("", rule) for key, (rule, _) in names.items()}
    )
    contract = parse_contract(snapshot(run_of(image)), "c.toml", words)
    other = dataclasses.replace(
        image, facts={key: dataclasses.replace(fact, value=None) for key, fact in image.facts.items()}
    )

    assert broken(contract, image) == []
    assert sum("novel." in said for said in broken(contract, other)) == len(names)


def test_variables_that_are_usually_unset_are_recorded():
    """Else the line would hold wherever it is."""
    assert all(map(is_recorded, USUALLY_UNSET))
