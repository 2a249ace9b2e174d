"""Clauses about facts, by the rule that the registry gives each of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gnnbench.contract.advice import advice
from gnnbench.contract.clause import Clause, Place, Ruling, State
from gnnbench.contract.size import UNLIMITED, size_text
from gnnbench.contract.version import Specifier, parse_version
from gnnbench.record import Environment

_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class FactClause(Clause):
    """A fact, or one entry of a fact that is a table, held to a rule.

    `expected` is False where there must be no such thing, whatever the rule. Else it is, by rule:

    - `equal`: a scalar; or a list, of which a fact that is no list must be one, and with which a fact that is a list
      must agree, whatever the order and however often an entry stands there;
    - `at least`: a number, `unlimited` or a version;
    - `includes`: one entry;
    - `specifier`: a `Specifier`.
    """

    fact: str
    entry: str | None
    rule: str
    unit: str
    expected: Any
    entries: tuple[Place, ...] = ()
    """Where each entry of a list stands."""

    @property
    def requires(self) -> tuple[str, ...]:
        """GPUs, where it asks for some."""
        if self.expected is False:
            return ()
        if self.fact == "hardware.gpu_count" and isinstance(self.expected, (int, float)):
            return (f"cuda:{math.ceil(self.expected)}",)
        if self.fact in ("hardware.gpu_models", "hardware.capabilities") and self.expected:
            return ("cuda",)
        # Without a second GPU there is nothing to carry.
        return ("cuda:2",) if self.fact == "nccl.transport" else ()

    def judge(self, environment: Environment) -> Ruling:
        """Compare what was read with what is expected."""
        fact = environment.facts.get(self.fact)
        if fact is None or fact.error:
            why = "it was not read" if fact is None else fact.error
            return Ruling(
                state=State.UNKNOWN,
                expected=self._wanted(),
                found=f"nothing that could be read: {why}",
                cause=f"{self.fact} could not be read",
                fix="mend what keeps it from being read, then run again",
            )
        found = fact.value
        if self.entry is not None:
            found = found.get(self.entry) if isinstance(found, Mapping) else None
        if self._absent(found):
            held, cause = self._accepts_absence(found), ""
        else:
            held, cause = self._compare(found)
        ruling = self._rule(held, self._wanted(), self._shown(found), cause=cause, fix=advice(self.fact))
        if ruling.state is State.BROKEN and self.entries and isinstance(found, list):
            return self._narrowed(ruling, found)
        return ruling

    def _absent(self, found: Any) -> bool:
        return found is None or found is False or found in ("", [], {})

    def _accepts_absence(self, found: Any) -> bool:
        # False: nothing of the kind. An empty list: no entry. A flag that is off.
        return self.expected is False or (self.expected == [] and found in (None, []))

    def _compare(self, found: Any) -> tuple[bool, str]:
        """Whether something that is there is what was asked for, and why not where that is easily overlooked."""
        expected = self.expected
        if expected is False:
            return False, ""
        if isinstance(expected, Specifier):
            return expected.allows(str(found)), expected.why_not(str(found))
        if self.rule == "at least":
            return _at_least(found, expected), ""
        if self.rule == "includes":
            return isinstance(found, (list, Mapping)) and expected in found, ""
        if isinstance(expected, list):
            if isinstance(found, list):
                return _same_entries(found, expected), ""
            return any(_equal(found, one) for one in expected), ""
        if isinstance(found, str) and isinstance(expected, (int, float)):
            return False, f"it is a text: write {self.place.key} in quotes"
        return _equal(found, expected), ""

    def _narrowed(self, ruling: Ruling, found: list[Any]) -> Ruling:
        """Point at the entry that is not there."""
        for place, entry in zip(self.entries, self.expected, strict=True):
            if entry not in found:
                return Ruling(
                    state=ruling.state,
                    expected=self._show_one(entry) + " among them",
                    found=ruling.found,
                    cause=ruling.cause,
                    fix=ruling.fix,
                    place=place,
                )
        return ruling

    def _wanted(self) -> str:
        if self.expected is False:
            return "none"
        if isinstance(self.expected, Specifier):
            return self.expected.text
        if self.rule == "at least":
            return f"at least {self._show_one(self.expected)}"
        if self.rule == "includes":
            return f"{self._show_one(self.expected)} among them"
        if isinstance(self.expected, list):
            return " or ".join(map(self._show_one, self.expected)) or "none"
        return self._show_one(self.expected)

    def _shown(self, found: Any) -> str:
        if isinstance(found, bool):
            return self._show_one(found)
        if self._absent(found):
            return _NOTHING
        if isinstance(found, (list, Mapping)):
            return ", ".join(map(self._show_one, found))
        return self._show_one(found)

    def _show_one(self, value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if self.unit == "B" and isinstance(value, (int, float)):
            return size_text(value)
        return f"{value}"


def _equal(found: Any, expected: Any) -> bool:
    # To Python true is 1, and 1 is 1.0; only the second holds here.
    return isinstance(found, bool) == isinstance(expected, bool) and bool(found == expected)


def _same_entries(found: list[Any], expected: list[Any]) -> bool:
    return all(one in expected for one in found) and all(one in found for one in expected)


def _at_least(found: Any, expected: Any) -> bool:
    if UNLIMITED in (found, expected):
        return bool(found == UNLIMITED)
    if isinstance(found, (int, float)) and isinstance(expected, (int, float)):
        return found >= expected
    have, want = parse_version(str(found)), parse_version(str(expected))
    return have is not None and want is not None and have >= want
