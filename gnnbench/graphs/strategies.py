"""Hypothesis strategies of graphs, which shrink: fewer edges and nodes, weights of 1, then none.

Importable only where Hypothesis is: `pip install hypothesis`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, Verbosity, given, reject, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from hypothesis.internal.conjecture import providers
from hypothesis.strategies import DrawFn, SearchStrategy

from gnnbench.graphs.graph import Graph
from gnnbench.graphs.random_graphs import Choices, random_graph

T = TypeVar("T")


class DrawnChoices:
    """Chooses by drawing from Hypothesis, which records every choice and takes back what it can."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def whole(self, low: int, high: int) -> int:
        """Shrinks to `low`."""
        return self._draw(st.integers(low, high))

    def among(self, options: Sequence[T]) -> T:
        """Shrinks to the first."""
        return self._draw(st.sampled_from(options))

    def many(self, make: Callable[[Choices], T], most: int) -> list[T]:
        """Shrinks by leaving out any of them."""
        return self._draw(st.lists(drawn(make), max_size=most))


def drawn(make: Callable[[Choices], T]) -> SearchStrategy[T]:
    """The strategy of what `make` makes of its choices."""

    @st.composite
    def strategy(draw: DrawFn) -> T:
        return make(DrawnChoices(draw))

    return strategy()


def graphs() -> SearchStrategy[Graph]:
    """Graphs as `random_graph` makes them."""
    return drawn(random_graph)


def simplest_failure(
    strategy: SearchStrategy[T], attempt: Callable[[T], bool], *, examples: int
) -> Exception | None:
    """Call `attempt` on `examples` things; where it raises, on simpler and simpler ones, the simplest last.

    The same release of Hypothesis gives the same things in every process. Nothing is written to disk, and no
    time limit applies but Hypothesis' own of five minutes for making things simpler.

    Args:
        strategy: of the things.
        attempt: raises where the thing is a failure; False says that it can't be judged and does not count.
        examples: how many are to be judged. Of unsuitable ones at most ten times as many are looked at.

    Returns:
        What `attempt` raised on the simplest failure, None where there is none. `hypothesis.errors.Flaky`
        where the same thing failed once and did not fail again.
    """

    @seed(0)
    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        # They are advice for whoever writes strategies: too slow, too much refused, too large.
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def judge(thing: T) -> None:
        if not attempt(thing):
            reject()

    with _undisturbed():
        try:
            judge()
        except Unsatisfiable:
            return None
        except Exception as error:
            return error
    return None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Hypothesis from mixing numbers it finds in the source of loaded modules into what it draws.

    Which modules are loaded differs from run to run, and it would keep its findings in a folder `.hypothesis`
    where it is called. There is no setting for it, so this names what is private; releases that have nothing
    of that name mix nothing in.
    """
    if not hasattr(providers, "_get_local_constants"):
        yield
        return
    from hypothesis.internal.constants_ast import Constants

    providers.CONSTANTS_CACHE.cache.clear()
    with patch.object(providers, "_get_local_constants", Constants):
        yield
    providers.CONSTANTS_CACHE.cache.clear()
