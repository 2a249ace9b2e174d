"""What one check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gnnbench.record.measurement import Margin, Measurement
from gnnbench.record.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why a check did not pass, and what to do about it. Every field but `summary` may be empty."""

    summary: str
    """One line."""
    expected: str = ""
    found: str = ""
    cause: str = ""
    """What most likely causes it."""
    fix: str = ""
    """What to do or run next."""
    needs: str = ""
    """What was lacking: `cuda`, `cuda:2`, `dataset:Cora`, `package:torch_sparse`."""
    required: bool = False
    """Whether the user said that what is lacking must be there (`--require`, a contract)."""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One check's outcome with its evidence."""

    id: str
    """Stable across versions and ways of running: `equivalence/exact/forward[csr-hub-cpu]`."""
    suite: str
    tier: str
    """The smallest tier that includes the check."""
    outcome: Outcome
    title: str = ""
    """What the check asserts, in a sentence."""
    device: str | None = None
    duration_s: float = 0.0
    """Set-up, call and tear-down together, in seconds."""
    finding: Finding | None = None
    """Present for every outcome but `passed`."""
    catches: tuple[str, ...] = ()
    """Faults of the catalogue that turn this check red: `F17`."""
    margins: tuple[Margin, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the check saw on its way, by name; plain JSON values."""
    log: str = ""
    """Traceback and captured output, for checks that did not pass."""
    nodeid: str = ""
    """pytest's name for the item, to run it alone."""
    worker: str = ""
    """The pytest-xdist worker, empty without."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """Whether the check reached a judgement."""
        return self.outcome in (Outcome.PASSED, Outcome.FAILED)

    @property
    def worst_margin(self) -> Margin | None:
        """The margin nearest to its bound, or beyond it."""
        return max(self.margins, key=lambda margin: margin.ratio, default=None)
