"""Clauses about the compiled extensions of PyTorch Geometric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gnnbench.contract.advice import advice
from gnnbench.contract.clause import Clause, Ruling, State
from gnnbench.contract.vocabulary import EXTENSIONS_FACT
from gnnbench.record import Environment

#: What the fact says of an extension whose operators were run and found right.
WORKS = "works"


@dataclass(frozen=True, slots=True)
class ExtensionClause(Clause):
    """An extension that must work: imported, one of its operators run forward and backward."""

    module: str

    @property
    def requires(self) -> tuple[str, ...]:
        """The package."""
        return (f"package:{self.module}",)

    def judge(self, environment: Environment) -> Ruling:
        """Look at what became of it in a child process of its own."""
        fact = environment.facts.get(EXTENSIONS_FACT)
        if fact is None or fact.error or not isinstance(fact.value, Mapping):
            why = "it was not tried" if fact is None else fact.error or f"no table: {fact.value!r}"
            return Ruling(
                state=State.UNKNOWN,
                expected=f"{self.module} {WORKS}",
                found=f"nothing that could be read: {why}",
                cause="the process that imports the extensions gave no answer",
                fix="mend what keeps PyTorch Geometric from being imported, then run again",
            )
        # A traceback's last line says what was raised.
        said = str(fact.value.get(self.module) or "not installed").strip().rpartition("\n")[2]
        return self._rule(said == WORKS, f"{self.module} {WORKS}", said, fix=advice("extensions"))
