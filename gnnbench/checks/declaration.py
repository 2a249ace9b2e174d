"""How a pytest item declares that it is a check."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

import pytest

#: Marker names; users write the functions below, never these.
CHECK_MARKER = "gnnbench_check"
TIER_MARKER = "gnnbench_tier"

F = TypeVar("F", bound=Callable[..., Any])


class Tier(IntEnum):
    """How much is run: what fits one minute, five, fifteen, and an hour or more on one GPU.

    A check runs in its own tier and in every larger one.
    """

    SMOKE = 1
    STANDARD = 2
    FULL = 3
    SOAK = 4

    @property
    def label(self) -> str:
        """The name as options spell it."""
        return self.name.lower()

    @classmethod
    def parse(cls, name: str) -> Tier:
        """The tier called `name`; raises `ValueError` naming the four."""
        try:
            return cls[name.upper()]
        except KeyError:
            raise ValueError(f"expected a tier ({', '.join(TIERS)}), found {name!r}") from None


TIERS: tuple[str, ...] = tuple(t.label for t in Tier)


def check(
    *,
    tier: Tier | str = Tier.SMOKE,
    catches: Sequence[str] = (),
    fix: str = "",
) -> Callable[[F], F]:
    """Declare a test function to be a check. The first line of its docstring is its title.

    Args:
        tier: the smallest tier that includes it. `gnnbench.checks.tier(...)` as a mark of one
            `pytest.param` moves that parameter to a later one.
        catches: ids of the faults that turn it red (`"F17"`).
        fix: what a person should do when it fails, unless the failure itself says better.
    """
    level = tier if isinstance(tier, Tier) else Tier.parse(tier)
    for fault in catches:
        if not re.fullmatch(r"F\d{2,3}", fault):
            raise ValueError(f"expected fault ids such as 'F17', found {fault!r}")
    mark = getattr(pytest.mark, CHECK_MARKER)(tier=level.label, catches=tuple(catches), fix=fix)

    def declare(function: F) -> F:
        marked: F = mark(function)
        return marked

    return declare


def tier(level: Tier | str) -> pytest.MarkDecorator:
    """A mark that moves one parameter set of a check to a later tier."""
    parsed = level if isinstance(level, Tier) else Tier.parse(level)
    decorator: pytest.MarkDecorator = getattr(pytest.mark, TIER_MARKER)(parsed.label)
    return decorator


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """What is known of a check before it runs."""

    id: str
    suite: str
    tier: Tier
    title: str
    catches: tuple[str, ...]
    fix: str

    @classmethod
    def of(cls, item: pytest.Item) -> CheckSpec | None:
        """The declaration of `item`, or None where it is not a check."""
        mark = item.get_closest_marker(CHECK_MARKER)
        if mark is None:
            return None
        # The latest of all: a slow backend in a late check on a slow graph is as late as the latest of them.
        tiers = [mark.kwargs["tier"], *(moved.args[0] for moved in item.iter_markers(TIER_MARKER))]
        title = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()
        return cls(
            id=id_of_nodeid(f"{item.path.parent.name}/{item.path.name}::{item.nodeid.partition('::')[2]}"),
            suite=item.path.parent.name,
            tier=max(map(Tier.parse, tiers)),
            title=title.partition("\n")[0],
            catches=mark.kwargs["catches"],
            fix=mark.kwargs["fix"],
        )


def id_of_nodeid(nodeid: str) -> str:
    """`suites/equivalence/test_exact.py::test_forward[csr]` → `equivalence/exact/forward[csr]`.

    Made from folder, file and function alone, so that it is the same from a checkout, from an
    installed wheel and under any root folder.
    """
    path, _, inside = nodeid.partition("::")
    name, bracket, parameters = inside.partition("[")
    folder, _, file = path.removesuffix(".py").rpartition("/")
    parts = [file, *name.split("::")] if name else [file]
    suite = folder.rpartition("/")[2]
    return "/".join([suite, *(part.removeprefix("test_") for part in parts)]) + bracket + parameters
