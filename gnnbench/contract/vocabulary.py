"""What a contract may speak of: handed in by who can read the facts, for this room holds none of what is under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Group of facts → the table that speaks of them otherwise, so that nothing can be said in two ways.
SPECIAL = {"packages": "[packages]", "variables": "[variables]"}
#: Facts that a table of another name holds to.
EXTENSIONS_FACT = "pyg.extensions"
VARIABLES_FACT = "variables.set"
#: Facts that a table of their own speaks for, so that no other may.
SPOKEN_FOR = {EXTENSIONS_FACT: "[extensions] work", VARIABLES_FACT: "[variables] set and unset"}


@dataclass(frozen=True, slots=True)
class Known:
    """A fact that can be read."""

    title: str
    rule: str
    """`equal`, `at least`, `includes`, `specifier`; empty where no contract can ask for it."""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Facts by key, suites, extensions of PyG, and which environment variables are recorded at all."""

    facts: Mapping[str, Known]
    suites: tuple[str, ...]
    extensions: tuple[str, ...]
    variable_names: tuple[str, ...]
    """Beginnings and whole names, for messages: `NCCL_`, `LD_PRELOAD`."""
    records_variable: Callable[[str], bool]
    """Whether a variable of this name is recorded."""

    def askable(self, group: str) -> dict[str, Known]:
        """Name within the group → the facts of it that a table of that name can ask for."""
        return {
            key.partition(".")[2]: known
            for key, known in self.facts.items()
            if key.partition(".")[0] == group and known.rule and key not in SPOKEN_FOR
        }

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that have such a fact, in the order of the registry."""
        groups = dict.fromkeys(key.partition(".")[0] for key in self.facts)
        return tuple(group for group in groups if group not in SPECIAL and self.askable(group))
