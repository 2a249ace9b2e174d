"""docs/contracts.md and docs/contracts/: what is documented is what is read, and the examples are contracts."""

import os
import re
from pathlib import Path

import pytest
import torch
from contracts import EXPECTED, HEAD, broken, vocabulary

from gnnbench.checks.suites import SUITES
from gnnbench.contract import parse_contract, read_contract
from gnnbench.contract.service_clause import PROTOCOLS
from gnnbench.environment import FACTS, collect, contract_vocabulary

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "contracts.md"
EXAMPLES = sorted((DOCS / "contracts").glob("*.toml"))

_BLOCK = re.compile(r"(<!-- facts: .*? -->\n)(.*?)(<!-- end of facts -->)", re.DOTALL)


def facts_table():
    """The table of facts, from the registry."""
    known = contract_vocabulary(FACTS, SUITES)
    rows = [
        f"| `[{group}]` | `{name}` | {fact.title} | {fact.rule} |"
        for group in known.groups
        for name, fact in known.askable(group).items()
    ]
    return "\n".join(["| table | key | what | rule |", "|---|---|---|---|", *rows]) + "\n"


def test_the_table_of_facts_is_that_of_the_registry():
    """Made from the code. GNNBENCH_WRITE_DOCS=1 pytest tests/test_contract_docs.py writes it anew."""
    text = PAGE.read_text("utf-8")
    if os.environ.get("GNNBENCH_WRITE_DOCS"):
        text = _BLOCK.sub(lambda match: match[1] + facts_table() + match[3], text)
        PAGE.write_text(text, "utf-8")

    assert _BLOCK.search(text)[2] == facts_table(), "run it once with GNNBENCH_WRITE_DOCS=1"


def section(title):
    """What stands under a heading, without line breaks."""
    text = re.search(
        rf"^### `\[{re.escape(title)}\]`\n(.*?)(?=^##|\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return " ".join(text[1].split())


def test_every_other_table_is_described():
    """Extensions, variables, protocols and tables are those that the code knows."""
    known = contract_vocabulary(FACTS, SUITES)

    assert ", ".join(f"`{name}`" for name in known.extensions) in section("extensions")
    assert ", ".join(f"`{name}`" for name in known.variable_names) in section("variables")
    assert ", ".join(f"`{word}` ({expected})" for word, (expected, _, _) in PROTOCOLS.items()) in section(
        "services.NAME"
    )
    assert section("packages")
    assert section("not_applicable")


def test_the_snippets_are_contracts():
    """Each block of TOML on the page is read."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

    assert len(blocks) >= 3
    for block in blocks:
        parse_contract(HEAD + block, "page", contract_vocabulary(FACTS, SUITES))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_contracts(path):
    """Each is read, asks for something, and is linked from the page."""
    contract = read_contract(path, vocabulary())

    assert len(contract.clauses) > 5
    assert f"(contracts/{path.name})" in PAGE.read_text("utf-8")


def test_there_are_examples_for_gpus_and_without():
    """The image for graph neural networks asks for four GPUs, both services and the transport."""
    contract = read_contract(DOCS / "contracts" / "pyg-4gpu.toml", vocabulary())

    assert {path.stem for path in EXAMPLES} == {"cpu", "pyg-4gpu", "pytorch-runtime"}
    assert {clause.id for clause in contract.clauses} >= {
        "hardware.gpu_count",
        "services.jupyter",
        "services.ssh",
        "nccl.transport[P2P]",
        "torch.cuda",
    }
    assert contract.requirements["cuda:4"].endswith("hardware.gpu_count")


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch is not the build for CPUs")
def test_the_one_without_a_gpu_holds_here():
    """Held against this machine's environment by the registry as it is."""
    contract = read_contract(DOCS / "contracts" / "cpu.toml", contract_vocabulary(FACTS, SUITES))

    assert broken(contract, collect()) == []


def test_what_is_expected_agrees_with_the_registry():
    """What tests take for granted of facts that the registry reads is what it says of them."""
    real = contract_vocabulary(FACTS, SUITES).facts

    assert {key: real[key].rule for key in EXPECTED if key in real} == {
        key: known.rule for key, known in EXPECTED.items() if key in real
    }
