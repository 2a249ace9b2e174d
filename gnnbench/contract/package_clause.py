"""Clauses about installed distributions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gnnbench.contract.clause import Clause, Ruling
from gnnbench.contract.version import Specifier
from gnnbench.record import Environment

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def canonical(name: str) -> str:
    """The name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_distribution(name: str) -> bool:
    """Whether a distribution may be called so (PEP 508)."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class PackageClause(Clause):
    """A distribution: absent for False, there in any version for True, else in one that a specifier allows."""

    name: str
    expected: Specifier | bool

    @property
    def requires(self) -> tuple[str, ...]:
        """The package, unless it must be absent."""
        return () if self.expected is False else (f"package:{self.name}",)

    def judge(self, environment: Environment) -> Ruling:
        """Look it up among what is installed."""
        versions = {canonical(name): version for name, version in environment.packages.items()}
        found = versions.get(canonical(self.name))
        expected, said = self.expected, self._wanted()
        if isinstance(expected, bool):
            fix = f"pip install {self.name}" if expected else f"pip uninstall -y {self.name}"
            return self._rule((found is not None) is expected, said, found or "none installed", fix=fix)
        return self._rule(
            found is not None and expected.allows(found),
            said,
            found or "none installed",
            cause="" if found is None else expected.why_not(found),
            fix=f"pip install '{self.name}{said}'",
        )

    def _wanted(self) -> str:
        if isinstance(self.expected, bool):
            return "any version" if self.expected else "none installed"
        return self.expected.text
