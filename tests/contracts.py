"""What tests of contracts share: what contracts may speak of, environments to hold to them, and lines made false."""

import dataclasses

from gnnbench.checks.suites import SUITES
from gnnbench.contract import Known, State, parse_contract
from gnnbench.contract.extension_clause import ExtensionClause
from gnnbench.contract.package_clause import PackageClause
from gnnbench.contract.variable_clause import VariableClause
from gnnbench.environment import FACTS, contract_vocabulary
from gnnbench.record import Device, Environment, Fact, Finding, Invocation, Outcome, Result, Run, RunState

HEAD = 'schema = "gnnbench.contract/1"\n'

#: Facts that the examples speak of, whether this registry reads them or not yet.
EXPECTED = {
    "hardware.gpu_count": Known("GPUs", "at least"),
    "hardware.capabilities": Known("Capabilities", "equal"),
    "pyg.flags": Known("Flags", "equal"),
    "pyg.extensions": Known("Extensions", ""),
    "nccl.transport": Known("Transport", "includes"),
    "nccl.version": Known("NCCL", "specifier"),
    "libraries.versions": Known("Versions", "specifier"),
}


def vocabulary():
    """That of the registry, and what is expected besides."""
    real = contract_vocabulary(FACTS, SUITES)
    return dataclasses.replace(real, facts={**EXPECTED, **real.facts})


def parse(text, name="contract.toml"):
    """The contract of `text`, its schema put before it where it has none."""
    return parse_contract(text if "schema" in text else HEAD + text, name, vocabulary())


def fact(value, rule="", unit="", error=""):
    return Fact(value=value, title="", group="", rule=rule, unit=unit, error=error)


def environment(packages=(), **facts):
    """An environment with these facts; `limits__shm_size` is `limits.shm_size`."""
    known = vocabulary().facts
    named = {key.replace("__", "."): value for key, value in facts.items()}
    return Environment(
        packages=dict(packages),
        facts={
            key: value if isinstance(value, Fact) else fact(value, known[key].rule, known[key].unit)
            for key, value in named.items()
        },
    )


#: A machine with every kind of fact.
FOUR_GPUS = dataclasses.replace(
    environment(
        {
            "torch": "2.8.0+cu121",
            "torch-geometric": "2.6.1",
            "odd": "1.0-weird",
            "pre": "2.9.0a0+git1",
            "gnnbench": "0.1.0",
        },
        hardware__gpu_count=4,
        hardware__gpu_models=["NVIDIA H100 80GB HBM3"] * 4,
        hardware__capabilities=["9.0"] * 4,
        hardware__driver_version="550.54.14",
        hardware__cpu_model="AMD EPYC",
        hardware__memory=(1 << 40) + 5,
        cuda__driver_cuda_version="12.4",
        torch__version="2.8.0+cu121",
        torch__cuda="12.1",
        torch__hip=None,
        torch__arch_list=["sm_80", "sm_90"],
        torch__cudnn="9.1.0",
        torch__debug=False,
        torch__cxx11_abi=True,
        torch__blas=fact(None, "equal", error="RuntimeError: no"),
        pyg__flags={"WITH_TORCH_SCATTER": True, "WITH_PYG_LIB": False},
        pyg__extensions={"torch_scatter": "works", "pyg_lib": "Traceback\nOSError: undefined symbol"},
        nccl__transport=["P2P", "SHM"],
        nccl__version="2.21.5",
        libraries__versions={"libcudnn.so.9": "9.1.0", "libnccl.so.2": "2.21.5", "libodd.so": None},
        limits__shm_size=(1 << 30) + 4096,
        limits__memlock="unlimited",
        limits__nofile=1048576,
        limits__cgroup_cpus=7.5,
        limits__address_space=fact(None, "at least", "B", error="PermissionError: no"),
        system__distribution="Ubuntu 22.04.5 LTS",
        variables__set={
            "CUDA_VISIBLE_DEVICES": "GPU-4f2a9c",
            "LD_LIBRARY_PATH": '/usr/local/nvidia/lib:/a "quoted" path\\',
            "NCCL_DEBUG": "WARN",
            "TORCH_ODD": "\udcff",
        },
    ),
    devices=(Device(name="cuda:0", kind="cuda", model="NVIDIA\nH100"),),
)


def run_of(found, *results):
    """A finished run on this environment."""
    return Run(
        id="20261124T081502Z-3fa9c1",
        state=RunState.COMPLETE,
        started_at="2026-11-24T08:15:02Z",
        gnnbench="0.1.0",
        invocation=Invocation(tier="smoke"),
        environment=found,
        results=results,
    )


def result(check_id, outcome=Outcome.PASSED):
    finding = None if outcome is Outcome.PASSED else Finding(summary="no GPU", needs="cuda")
    return Result(
        id=check_id, suite=check_id.partition("/")[0], tier="smoke", outcome=outcome, finding=finding
    )


def broken(contract, found):
    """What is said of each clause that does not hold."""
    return [said for _, said in rulings_not_held(contract, found)]


def rulings_not_held(contract, found):
    """(clause, what is said of it) for each that does not hold."""
    told = [(clause, *contract.judge(clause, found)) for clause in contract.clauses]
    return [(clause, said) for clause, said, ruling in told if ruling.state is not State.HELD]


def falsified(line, clause):
    """`line` of a contract asking for something else; None where nothing is falser: unset, or more than unlimited.

    `clause` is what it is read as; None for an element of an array that is held as a whole.
    """
    head, equals, value = line.partition(" = ")
    if not equals:
        head, value = "", line.strip().removesuffix(",")
    rule = "specifier" if isinstance(clause, PackageClause) else getattr(clause, "rule", "")
    if isinstance(clause, VariableClause):
        other = None if clause.expected is False else '"falsified"'
        if clause.expected is True:
            head, other = f"{head}_FALSIFIED", value
    elif isinstance(clause, ExtensionClause):
        other = '"torch_cluster"'
    elif rule == "specifier":
        other = '"===0.falsified"'
    elif rule == "at least":
        other = None if clause.expected == "unlimited" else '"9999 TiB"' if clause.unit == "B" else "99999999"
    elif value == "[]":
        other = '["falsified"]'
    elif value in ("true", "false"):
        other = "false" if value == "true" else '"falsified"'
    elif value.startswith('"'):
        other = f'{value[:-1]} falsified"'
    else:
        other = f"{value}1"
    if other is None:
        return None
    return f"{head} = {other}" if equals else line.replace(value, other)
