"""From the tables that are called as groups of facts to clauses, by the rule of each fact."""

from __future__ import annotations

import math
from typing import Any

from gnnbench.contract.clause import Clause
from gnnbench.contract.fact_clause import FactClause
from gnnbench.contract.node import Node
from gnnbench.contract.size import UNLIMITED, parse_size
from gnnbench.contract.version import Specifier, parse_version
from gnnbench.contract.vocabulary import SPOKEN_FOR, Known, Vocabulary


def fact_clauses(table: Node, vocabulary: Vocabulary, *, only: str | None = None) -> list[Clause]:
    """The clauses of one table, or of one key of it; raises `ContractError`."""
    group = table.name
    askable = vocabulary.askable(group)
    clauses: list[Clause] = []
    for node in table.children("a table"):
        if only not in (None, node.name):
            continue
        known = askable.get(node.name)
        fact = f"{group}.{node.name}"
        if known is None:
            _refuse(node, fact, askable, vocabulary)
        elif known.rule == "includes" and not isinstance(node.value, dict) and node.value is not False:
            entries = node.texts("an array of texts") if isinstance(node.value, list) else [node]
            for one in entries:
                if not isinstance(one.value, str):
                    one.wrong("a text, or an array of texts")
                clauses.append(FactClause(one.place, fact, None, known.rule, known.unit, one.value))
        elif isinstance(node.value, dict):
            entries = list(node.children("a table"))
            if not entries:
                node.complain("expected at least one entry, found none; it asks for nothing")
            clauses += [
                FactClause(one.place, fact, one.name, known.rule, known.unit, _expected(one, known))
                for one in entries
            ]
        else:
            places = tuple(one.place for one in node.elements("")) if isinstance(node.value, list) else ()
            expected = _expected(node, known)
            clauses.append(FactClause(node.place, fact, None, known.rule, known.unit, expected, places))
    return clauses


def _refuse(node: Node, fact: str, askable: dict[str, Known], vocabulary: Vocabulary) -> None:
    if fact in SPOKEN_FOR:
        node.complain(f"expected {SPOKEN_FOR[fact]} to ask for it, found {fact}")
    if fact in vocabulary.facts:
        node.complain(
            f"expected a fact that contracts can ask for ({', '.join(sorted(askable))}), found {node.name!r}, which "
            "differs between sound machines"
        )
    node.unknown("a key", askable)


def _expected(node: Node, known: Known) -> Any:
    """What a clause expects; False, for there must be no such thing, fits every rule."""
    if node.value is False:
        return False
    if known.rule == "at least":
        return _least(node, known.unit)
    if known.rule == "specifier":
        return _specifier(node)
    return _same(node)


def _specifier(node: Node) -> Specifier:
    if not isinstance(node.value, str):
        node.wrong('a version specifier such as ">=2.8,<2.9", or false for none')
    try:
        return Specifier.parse(node.value)
    except ValueError as error:
        node.complain(str(error))


def _least(node: Node, unit: str) -> Any:
    value = node.value
    what = 'a size such as "1 GiB", a number of bytes' if unit == "B" else "a number, or a version in quotes"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        node.wrong(f'{what}, or "{UNLIMITED}"')
    if isinstance(value, str):
        if value == UNLIMITED:
            return value
        if unit == "B":
            try:
                value = parse_size(value)
            except ValueError as error:
                node.complain(str(error))
        elif parse_version(value) is None:
            node.wrong(f'{what}, or "{UNLIMITED}"')
        else:
            return value
    if not 0 < value < math.inf:  # also of whole numbers that no float holds
        node.wrong("a number above 0, for every image has at least 0")
    return value


def _same(node: Node) -> Any:
    if isinstance(node.value, list):
        for one in node.elements("an array"):
            if not isinstance(one.value, (str, int, float)):
                one.wrong("a text or a number", element=True)
    elif not isinstance(node.value, (str, int, float)):
        node.wrong("a text, a number, true or false, or an array of them")
    return node.value
