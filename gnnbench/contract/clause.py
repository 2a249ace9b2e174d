"""What a line of a contract asks for, and what becomes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from gnnbench.record import Environment


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a contract."""

    key: str
    """`packages.torch`, `nccl.transport[P2P]`."""
    line: int


class State(str, Enum):
    """What became of a clause."""

    HELD = "held"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """What it speaks of could not be read: never taken for held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A clause held against an environment."""

    state: State
    expected: str
    found: str
    cause: str = ""
    """What most likely is behind it, where that is known."""
    fix: str = ""
    """What to run or change in image or machine."""
    place: Place | None = None
    """A narrower place than the clause's own."""


@dataclass(frozen=True, slots=True)
class Clause(ABC):
    """One thing that an image must provide; one check."""

    place: Place

    @property
    def id(self) -> str:
        """The key in printable ASCII, for the id of the check."""
        return quote(self.place.key, safe="!\"#$&'()*+,-./:;<=>?@[]^_`{|}~")

    @property
    def requires(self) -> tuple[str, ...]:
        """What checks may not be found not applicable for want of: `cuda:4`, `package:torch`."""
        return ()

    @abstractmethod
    def judge(self, environment: Environment) -> Ruling:
        """Hold it against facts, packages, or what listens on this machine; never raises."""

    def _rule(self, held: bool, expected: str, found: str, *, cause: str = "", fix: str = "") -> Ruling:
        state = State.HELD if held else State.BROKEN
        return Ruling(state=state, expected=expected, found=found, cause=cause, fix=fix)
