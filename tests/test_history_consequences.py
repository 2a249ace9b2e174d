"""gnnbench.history.consequences: every one follows from its change, falls on the right side, and names what exists."""

import re
from dataclasses import fields

import pytest
from history_cases import CASES, HARMLESS, document

from gnnbench.environment import FACTS
from gnnbench.environment.hardware import _described
from gnnbench.environment.nvml import NvmlGpu
from gnnbench.environment.variables import recorded
from gnnbench.history import CONSEQUENCES, Weight, address, compare, short
from gnnbench.history.facts import _TOLD_BY
from gnnbench.history.records import PASSING
from gnnbench.record import Device

_OTHER_WAY = {"a": "b", "b": "a", "both": "both"}


def named(first, second):
    """(consequence, whose) of every change between two cases."""
    difference = compare(document(first), document(second))
    return {(one.consequence, one.whose) for change in difference.changes for one in change.consequences}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{next(iter(case[1] or case[0]))}-{case[2]}")
def test_it_follows(case):
    """From its change, on the side that suffers it; with the documents exchanged, on the other."""
    first, second, words, whose = case
    found = {(one, side) for one, side in named(first, second) if words in one.text}

    assert {side for _, side in found} == {whose}
    assert {(one, _OTHER_WAY[side]) for one, side in named(second, first) if words in one.text} == found


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: f"{next(iter(case[1]))}-{case[2]}")
def test_it_does_not_follow(case):
    """From a change of the same fact that is harmless, in the second document."""
    first, second, words, _ = case

    assert compare(document(first), document(second)).changes
    assert not [one for one, side in named(first, second) if words in one.text and side != "a"]


def test_every_consequence_is_tried():
    """None is left that no case brings about."""
    told = {id(one) for first, second, _, _ in CASES for one, _ in named(first, second)}

    assert [f"{one.key}: {one.text}" for one in CONSEQUENCES if id(one) not in told] == []


def test_keys_name_what_is_recorded():
    """A key with a slip in it would never be told of."""
    facts = {spec.key for spec in FACTS}
    for one in CONSEQUENCES:
        group, _, name = one.key.partition(".")
        fact, _, rest = name.partition(".")
        if group == "packages" and f"packages.{fact}" not in facts:
            assert re.fullmatch(r"[a-z0-9*]+(-[a-z0-9*]+)*", name), one.key
        elif group == "devices":
            assert name in {field.name for field in fields(Device)}, one.key
        else:
            assert f"{group}.{fact}" in facts, one.key
        if one.key.startswith("variables.set."):
            assert recorded({rest: "1"}) == {rest: "1"}, one.key
        if one.key.startswith("hardware.gpus."):
            assert rest in _described(NvmlGpu(index=0), None), one.key


def test_what_is_told_elsewhere_is_recorded():
    """Changes that are left out because another says the same, and what passes, are named as the registry names them."""
    facts = {spec.key for spec in FACTS} | {
        f"hardware.gpus.{name}" for name in _described(NvmlGpu(index=0), None)
    }
    facts |= {f"devices.{field.name}" for field in fields(Device)} | {"packages.torch"}

    for key in {*_TOLD_BY, *_TOLD_BY.values(), *PASSING} - {"variables.set.CUDA_VISIBLE_DEVICES"}:
        assert key in facts, key


def test_each_says_who_says_so():
    """A source is an issue or an address, and the text is whole sentences."""
    for one in CONSEQUENCES:
        assert one.sources, one.key
        for source in one.sources:
            assert re.fullmatch(r"https://[\w.-]+/\S*", address(source)), source
            assert short(source), source
        assert re.fullmatch(r"[A-Z`].*[.`]|`?\w.*[.`\"]", one.text, re.DOTALL), one.text
        assert one.text.count("`") % 2 == 0, one.text
        assert one.weight in (Weight.BREAKS, Weight.RESULTS, Weight.SPEED)


def test_none_is_there_twice():
    """One key, one text."""
    assert len({(one.key, one.text) for one in CONSEQUENCES}) == len(CONSEQUENCES)
