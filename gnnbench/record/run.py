"""One run: the immutable record that reports, comparisons and gates are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gnnbench.record.environment import Environment
from gnnbench.record.measurement import Measurement
from gnnbench.record.outcome import Outcome, RunState
from gnnbench.record.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How the run was asked for."""

    argv: tuple[str, ...] = ()
    tier: str = "standard"
    suites: tuple[str, ...] = ()
    """Empty means all."""
    devices: tuple[str, ...] = ()
    """As resolved: `cpu`, `cuda:0`."""
    require: tuple[str, ...] = ()
    """What must be there: `cuda`, `cuda:2`."""
    keyword: str = ""
    data: str = ""
    """The folder data sets were read from; empty where none was named."""
    targets: tuple[str, ...] = ()
    """GPU architectures that compiled files were held against: `sm_90`."""
    contract: str = ""
    """The contract that the image was held to; empty without."""
    workers: int = 0
    """pytest-xdist workers; 0 without."""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """environment + results + how it was run."""

    id: str
    """Sorts by time and is unique: `20261124T081502Z-3fa9c1`."""
    state: RunState
    started_at: str
    """UTC, ISO 8601 with seconds and `Z`."""
    finished_at: str = ""
    duration_s: float = 0.0
    gnnbench: str = ""
    """The version that made the document."""
    invocation: Invocation = field(default_factory=Invocation)
    environment: Environment = field(default_factory=Environment)
    results: tuple[Result, ...] = ()
    collected: int = 0
    """Checks that were selected; more than `results` where the run ended early."""
    deselected: Mapping[str, int] = field(default_factory=dict)
    """Checks left out on request, by reason: `{"tier": 12, "suite": 40, "other": 3}`."""
    unfinished: tuple[str, ...] = ()
    """Ids of the checks that were selected and never reached an outcome."""
    warnings: tuple[str, ...] = ()
    ended_by: str = ""
    """Why the run ended early: `Ctrl-C`, `SIGSEGV in equivalence/...`."""
    exit_code: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def count(self, outcome: Outcome, suite: str | None = None) -> int:
        """How many checks ended as `outcome`, in one suite or in all."""
        return sum(result.outcome is outcome and suite in (None, result.suite) for result in self.results)

    def with_outcome(self, *outcomes: Outcome) -> tuple[Result, ...]:
        """The results that ended as one of `outcomes`, in the order they ran."""
        return tuple(result for result in self.results if result.outcome in outcomes)

    @property
    def suites(self) -> tuple[str, ...]:
        """Suites that have results, in the order they ran."""
        return tuple(dict.fromkeys(result.suite for result in self.results))

    def measurements(self) -> Iterator[tuple[Result, Measurement]]:
        """Every measurement with the check that took it."""
        for result in self.results:
            for measurement in result.measurements:
                yield result, measurement
