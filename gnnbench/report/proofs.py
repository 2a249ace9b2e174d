"""What a document says of planted faults: which were caught, by what, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gnnbench.record import Outcome, Result, Run

#: Suite under which `gnnbench prove` writes.
SUITE = "faults"


@dataclass(frozen=True, slots=True)
class Row:
    """One fault."""

    name: str
    """Its id in the catalogue."""
    title: str
    symptom: str
    sources: tuple[str, ...]
    caught_by: tuple[str, ...]
    said: str
    """What the first check that turned red had to say."""
    seconds: float
    proved: bool

    @property
    def judged(self) -> str:
        """In words. A harmless difference is proved where nothing turned red."""
        if not self.proved:
            return "not proved"
        return "caught" if self.caught_by else "harmless, let pass"


def proofs_of(run: Run) -> tuple[Row, ...]:
    """The faults that were planted, in the order of the document; empty for runs of another kind."""
    return tuple(_row(result) for result in run.results if result.suite == SUITE)


def _row(result: Result) -> Row:
    facts: Mapping[str, Any] = result.facts
    return Row(
        name=result.id.rpartition("/")[2],
        title=result.title,
        symptom=str(facts.get("symptom", "")),
        sources=_words(facts.get("sources")),
        caught_by=_words(facts.get("caught_by")),
        said=str(facts.get("said", "")),
        seconds=result.duration_s,
        proved=result.outcome is Outcome.PASSED,
    )


def _words(value: Any) -> tuple[str, ...]:
    # A document may have been written by anybody.
    return tuple(map(str, value)) if isinstance(value, list) else ()
