"""What a fault is: what people saw, where it was reported, how it is planted, and what must catch it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

#: Which part of the work a fault spoils: forward equivalence, gradients, reproducibility, loading, precision; libraries
#: and driver, devices and their health, memory, collectives.
Area = Literal["EQ", "GRAD", "DET", "DATA", "AMP", "ENV", "DEV", "MEM", "DIST"]

#: Name of the backend that plants register: `-k planted` selects its checks, and nobody else's.
PLANTED = "planted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of the catalogue. A file of `gnnbench/faults/catalogue` holds one, called `FAULT`.

    Raises `ValueError` for ids that can't be ids and for faults that nothing has to catch.
    """

    id: str
    """`F17`; with a letter behind where one report has several ways to be wrong: `F20b`."""
    title: str
    """What is wrong, in one line."""
    symptom: str
    """What people saw."""
    sources: tuple[str, ...]
    """Where it was reported: `pytorch/pytorch#55917`."""
    areas: tuple[Area, ...]
    caught_by: tuple[str, ...]
    """Ids of checks without their parameters, `equivalence/exact/forward`. Each of them must turn red."""
    plant: Callable[[bool], object]
    """Plants the fault in this process for `True`, its clean twin for `False`: the same machinery without the
    defect. Called in a process of its own, before anything is collected. It imports torch by itself. What it returns
    is loaded as a pytest plugin, None as nothing."""
    harmless: bool = False
    """A difference that is no fault: planted, the checks of `caught_by` must be green."""
    says: tuple[str, ...] = ()
    """Words that the finding of each check of `caught_by` must hold: red alone does not tell people the cause."""
    options: tuple[str, ...] = ()
    """More for pytest, in both runs: `--gnnbench-target=sm_90`."""
    keyword: str = PLANTED
    """pytest's `-k`: which checks are run against it."""
    tier: str = "smoke"
    """The tier in which it must be caught."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"F\d\d[a-z]?", self.id):
            raise ValueError(f"id: expected F and two digits, and a letter perhaps, found {self.id!r}")
        unknown = set(self.areas) - set(get_args(Area))
        if unknown or not self.areas:
            raise ValueError(
                f"{self.id}: expected areas of {', '.join(get_args(Area))}, found {self.areas!r}"
            )
        if not self.caught_by:
            raise ValueError(f"{self.id}: expected at least one check in caught_by, found none")
        for check in self.caught_by:
            if not re.fullmatch(r"[a-z_]+/[a-z_]+/[a-z0-9_]+", check):
                raise ValueError(f"{self.id}: expected an id such as suite/file/check, found {check!r}")

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites that its checks belong to, each once."""
        return tuple(dict.fromkeys(check.partition("/")[0] for check in self.caught_by))
