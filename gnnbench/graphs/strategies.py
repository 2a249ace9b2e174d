"""Hypothesis strategies of graphs, which shrink: fewer edges and nodes, weights of 1, then none.

Importable only where Hypothesis is: `pip install hypothesis`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st
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
