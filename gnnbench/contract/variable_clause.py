"""Clauses about environment variables that change behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gnnbench.contract.clause import Clause, Ruling, State
from gnnbench.contract.glob import matches
from gnnbench.contract.vocabulary import VARIABLES_FACT
from gnnbench.record import Environment


@dataclass(frozen=True, slots=True)
class VariableClause(Clause):
    """Variables whose names match: none may be set for False, one at least must be for True, else to this value."""

    pattern: str
    expected: str | bool

    def judge(self, environment: Environment) -> Ruling:
        """Look at the variables that were recorded."""
        fact = environment.facts.get(VARIABLES_FACT)
        if fact is None or fact.error or not isinstance(fact.value, Mapping):
            return Ruling(
                state=State.UNKNOWN,
                expected=self._wanted(),
                found="nothing that could be read: " + ("it was not read" if fact is None else fact.error),
                cause="the environment variables were not recorded",
                fix="run again with this version of gnnbench",
            )
        found = {name: str(value) for name, value in fact.value.items() if matches(self.pattern, name)}
        said = ", ".join(f"{name}={value}" for name, value in found.items()) or "not set"
        wrong = [name for name, value in found.items() if value != self.expected]
        if self.expected is False:
            fix = f"unset {' '.join(found)}; look at ENV in the Dockerfile, at `docker run -e`, and at the job's own"
            return self._rule(not found, self._wanted(), said, fix=fix)
        value = self.expected if isinstance(self.expected, str) else "..."
        fix = f"set it: `ENV {self.pattern}={value}` in the Dockerfile, or `docker run -e {self.pattern}={value}`"
        held = bool(found) and (self.expected is True or not wrong)
        return self._rule(held, self._wanted(), said, fix=fix)

    def _wanted(self) -> str:
        if isinstance(self.expected, bool):
            return "any value" if self.expected else "not set"
        return f"{self.pattern}={self.expected}"
