"""What a fact about the environment is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from gnnbench.record import Fact
from gnnbench.record.codec import encode

#: How a contract asks for a fact: the same value; at least so much; every one of these entries; a version that a
#: specifier of PEP 440 allows. Empty: not at all.
Rule = Literal["", "equal", "at least", "includes", "specifier"]


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One fact that can be read: a line of a source's `FACTS`.

    A reader returns a plain JSON value, or None where the machine has no such thing. It may raise, and
    it must not initialise CUDA: contexts cost memory, and forked workers could then not use the GPU.
    """

    key: str
    """`group.name`; contracts and documents spell it so. Never renamed."""
    title: str
    read: Callable[[], Any]
    unit: str = ""
    comparable: bool = False
    """Whether two runs must agree on it for their timings to be comparable."""
    rule: Rule = ""
    """How `gnnbench snapshot` holds another image to it."""

    @property
    def group(self) -> str:
        """The heading it stands under."""
        return self.key.partition(".")[0]

    def fact(self) -> Fact:
        """Read it. A reader that raises gives a fact without a value, which says why."""
        value, error = None, ""
        try:
            value = encode(self.read())
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        return Fact(
            value=value,
            title=self.title,
            group=self.group,
            unit=self.unit,
            comparable=self.comparable,
            error=error,
            rule=self.rule,
        )
