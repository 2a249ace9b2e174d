"""A contract: what an image must provide, each thing with the line that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gnnbench.contract.clause import Clause, Place, Ruling
from gnnbench.contract.glob import matches
from gnnbench.record import Environment


@dataclass(frozen=True, slots=True)
class Allowance:
    """The checks of one suite that may have nothing to judge."""

    place: Place
    patterns: tuple[str, ...]

    def allows(self, check: str) -> bool:
        """Whether `check`, an id without its suite, may."""
        return any(matches(pattern, check) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Broken:
    """What a contract says to a check that had nothing to judge, and was to judge."""

    key: str
    where: str
    """`contract.toml:12: hardware.gpu_count`."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What was read from one file."""

    name: str
    """The file, as messages name it."""
    clauses: tuple[Clause, ...] = ()
    not_applicable: Mapping[str, Allowance] = field(default_factory=dict)
    """By suite; a suite that is not named is not held to a list."""

    def where(self, place: Place) -> str:
        """`contract.toml:12: packages.torch`."""
        return f"{self.name}:{place.line}: {place.key}"

    def judge(self, clause: Clause, environment: Environment) -> tuple[str, Ruling]:
        """The ruling, and a line that tells it: `contract.toml:12: packages.torch: expected >=2.8, found 2.7.1`."""
        ruling = clause.judge(environment)
        where = self.where(ruling.place or clause.place)
        return f"{where}: expected {ruling.expected}, found {ruling.found}", ruling

    @property
    def requirements(self) -> dict[str, str]:
        """What must be there, in the words of `--require`, and where the contract asks for it: `cuda:4`."""
        return {need: self.where(one.place) for one in reversed(self.clauses) for need in one.requires}

    def forbids(self, check_id: str) -> Broken | None:
        """Why the check with this id must not be without anything to judge; None where it may."""
        suite, _, check = check_id.partition("/")
        allowance = self.not_applicable.get(suite)
        if allowance is None or allowance.allows(check):
            return None
        return Broken(allowance.place.key, self.where(allowance.place))
