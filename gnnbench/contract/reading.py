"""From a file to a contract, or to one line that says why it is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from gnnbench.contract.clause import Clause
from gnnbench.contract.complaint import ContractError, nearest
from gnnbench.contract.contract import Allowance, Contract
from gnnbench.contract.extension_clause import ExtensionClause
from gnnbench.contract.fact_reading import fact_clauses
from gnnbench.contract.locator import duplicate, locate
from gnnbench.contract.node import Node
from gnnbench.contract.package_clause import PackageClause, canonical, is_distribution
from gnnbench.contract.service_clause import PROTOCOLS, ServiceClause
from gnnbench.contract.toml_text import read_toml, toml_key
from gnnbench.contract.variable_clause import VariableClause
from gnnbench.contract.version import Specifier
from gnnbench.contract.vocabulary import Vocabulary

SCHEMA = "gnnbench.contract/1"


def read_contract(file: str | PathLike[str], vocabulary: Vocabulary) -> Contract:
    """The contract in `file`; raises `ContractError` for anything else."""
    name = "".join(sign if sign.isprintable() else "?" for sign in str(file))
    try:
        text = Path(file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContractError(
            f"{name}: expected UTF-8, found the byte {error.object[error.start]:#04x} at offset {error.start}; "
            "save it as UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        # A name with a null byte is a ValueError.
        why = getattr(error, "strerror", None) or error
        raise ContractError(
            f"{name}: expected a contract, found none: {why}; gnnbench snapshot -o FILE writes one"
        ) from None
    return parse_contract(text, name, vocabulary)


def parse_contract(text: str, name: str, vocabulary: Vocabulary) -> Contract:
    """The contract in `text`, called `name` in messages; raises `ContractError` for anything else."""
    try:
        data = read_toml(text)
        lines = locate(text)
    except RecursionError:
        raise ContractError(
            f"{name}: expected a contract, found brackets nested too deep to be read"
        ) from None
    except ValueError as error:
        raise ContractError(_of_toml(name, text, str(error))) from None
    root = Node(name, (), data, lines)
    root.refuse_outsized()
    _check_schema(root)
    readers = _readers(vocabulary)
    clauses: list[Clause] = []
    for table in root.children("a table"):
        if table.name in ("schema", "not_applicable"):
            continue
        reader = readers.get(table.name)
        if reader is None:
            table.unknown("a table", [*readers, "not_applicable", "schema"])
        clauses += reader(table, vocabulary)
    allowed = _allowances(root.child("not_applicable"), vocabulary) if "not_applicable" in data else {}
    if not clauses and not allowed:
        raise ContractError(f"{name}: expected a table such as [packages], found none; it asks for nothing")
    return Contract(name, tuple(clauses), allowed)


_Reader = Callable[[Node, Vocabulary], list[Clause]]


def _readers(vocabulary: Vocabulary) -> dict[str, _Reader]:
    """Table → what reads it."""
    return {
        "packages": _packages,
        **dict.fromkeys(vocabulary.groups, fact_clauses),
        "extensions": _extensions,
        "variables": _variables,
        "services": _services,
    }


def _of_toml(name: str, text: str, said: str) -> str:
    """What the parser says, with its line where ours stand, and with the key where one stands twice."""
    if re.search("overwrite|twice|mutate|duplicate", said, re.IGNORECASE) and (found := duplicate(text)):
        path, line, before = found
        return f"{name}:{line}: {toml_key(*path)}: expected it once, found it in line {before} too; take one of them out"
    match = re.fullmatch(r"(.*?)\s*\(at (?:line (\d+), column (\d+)|end of document)\)", said, re.DOTALL)
    what = " ".join((match[1] if match else said.partition(";")[0]).split()).rstrip(".")
    what = what[:1].lower() + what[1:]
    if match is None:
        return f"{name}: expected TOML, found: {what}"
    last = text.rstrip().count("\n") + 1
    where = f"column {match[3]}" if match[3] else "the end"
    return f"{name}:{match[2] or last}: expected TOML, found at {where}: {what}"


def _check_schema(root: Node) -> None:
    found = root.value.get("schema")
    if found is None:
        raise ContractError(
            f'{root.file}:1: schema: expected schema = "{SCHEMA}" before all tables, found none'
        )
    if found != SCHEMA:
        node = root.child("schema")
        newer = isinstance(found, str) and re.fullmatch(r"gnnbench\.contract/\d+", found)
        hint = "; a newer gnnbench reads it" if newer else ""
        node.complain(f'expected "{SCHEMA}", found {found!r}{hint}')


def _packages(table: Node, vocabulary: Vocabulary) -> list[Clause]:
    own = vocabulary.askable("packages")
    clauses: list[Clause] = []
    seen: dict[str, str] = {}
    for node in table.children("a table of distributions and version specifiers"):
        if node.name in own:
            clauses += fact_clauses(table, vocabulary, only=node.name)
            continue
        if not is_distribution(node.name):
            node.complain(f"expected the name of a distribution, found {node.name!r}")
        known = seen.setdefault(canonical(node.name), node.name)
        if known != node.name:
            node.complain(f"expected each distribution once, found it as {known!r} too; take one of them out")
        clauses.append(PackageClause(node.place, node.name, _version(node)))
    return clauses


def _version(node: Node) -> Specifier | bool:
    if isinstance(node.value, bool):
        return node.value
    if not isinstance(node.value, str):
        node.wrong('a version specifier such as ">=2.8,<2.9", true for any version, or false for none')
    try:
        return Specifier.parse(node.value)
    except ValueError as error:
        node.complain(str(error))


def _extensions(table: Node, vocabulary: Vocabulary) -> list[Clause]:
    table.only(("work",))
    clauses: list[Clause] = []
    if "work" in table.value:
        for node in table.child("work").texts("an array of extensions"):
            if node.value not in vocabulary.extensions:
                _unknown_element(node, "an extension of PyTorch Geometric", vocabulary.extensions)
            clauses.append(ExtensionClause(node.place, node.value))
    return clauses


def _variables(table: Node, vocabulary: Vocabulary) -> list[Clause]:
    table.only(("set", "unset"))
    clauses: list[Clause] = []
    if "set" in table.value:
        for node in table.child("set").children("a table of names and values"):
            if node.value is not True and not isinstance(node.value, str):
                node.wrong(
                    "a text, or true for any value",
                    hint="; write the value in quotes, or the name into unset"
                    if node.value is not None
                    else "",
                )
            _require_recorded(node, node.name, vocabulary)
            clauses.append(VariableClause(node.place, node.name, node.value))
    if "unset" in table.value:
        for node in table.child("unset").texts("an array of names"):
            _require_recorded(node, node.value, vocabulary)
            clauses.append(VariableClause(node.place, node.value, False))
    return clauses


def _require_recorded(node: Node, pattern: str, vocabulary: Vocabulary) -> None:
    """A variable that is never recorded would always be found unset."""
    if not vocabulary.records_variable(re.sub(r"[*?]", "", pattern)):
        node.complain(
            f"expected a variable that gnnbench records ({', '.join(vocabulary.variable_names)}), found {pattern!r}",
            element=True,
        )


def _services(table: Node, _vocabulary: Vocabulary) -> list[Clause]:
    clauses: list[Clause] = []
    for node in table.children("a table of services"):
        node.only(("port", "speaks"))
        if "port" not in node.value:
            node.complain("expected port = NUMBER, found none")
        port, speaks = node.child("port"), node.child("speaks") if "speaks" in node.value else None
        if not isinstance(port.value, int) or isinstance(port.value, bool) or not 0 < port.value < 1 << 16:
            port.wrong("a port from 1 to 65535")
        if speaks is not None and speaks.value not in list(PROTOCOLS):
            speaks.wrong(" or ".join(PROTOCOLS))
        clauses.append(
            ServiceClause(
                node.place,
                port.value,
                port.place,
                "" if speaks is None else speaks.value,
                None if speaks is None else speaks.place,
            )
        )
    return clauses


def _allowances(table: Node, vocabulary: Vocabulary) -> dict[str, Allowance]:
    allowed = {}
    for node in table.children("a table of suites"):
        if node.name not in vocabulary.suites:
            node.unknown("a suite", vocabulary.suites)
        patterns = node.elements('an array of checks, such as ["gpu/*"]')
        for one in patterns:
            if not isinstance(one.value, str) or not one.value:
                one.wrong("a check without its suite, such as gpu/*", element=True)
            if one.value.partition("/")[0] == node.name:
                one.complain(
                    f"expected a check without its suite, found {one.value!r}; leave {node.name}/ out",
                    element=True,
                )
        allowed[node.name] = Allowance(node.place, tuple(one.value for one in patterns))
    return allowed


def _unknown_element(node: Node, what: str, known: tuple[str, ...]) -> None:
    node.complain(f"expected {what}, found {node.value!r}{nearest(node.value, known)}", element=True)
