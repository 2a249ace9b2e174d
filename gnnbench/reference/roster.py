"""A list of implementations by name, to which anybody may add: of GraphSAGE layers, of GAT layers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    """What has a name and can be bound to a graph."""

    @property
    def name(self) -> str:
        """Short and stable, for it becomes part of every check's id."""
        ...

    @property
    def bind(self) -> Callable[..., Callable[..., object]]:
        """`bind(graph, *, device, dtype, ...) -> layer`."""
        ...


N = TypeVar("N", bound=Named)


class Roster(Generic[N]):
    """Implementations of one layer, in the order in which they came.

    Args:
        layer: what they implement, as messages are to call it: `GraphSAGE layer`.
    """

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self._registered: dict[str, N] = {}

    def register(self, implementation: N) -> N:
        """Add one, and return it.

        Raises:
            TypeError: where it has no `name` or no `bind`.
            ValueError: where its name is taken, or can't stand in a check's id.
        """
        name = getattr(implementation, "name", None)
        bind = getattr(implementation, "bind", None)
        if inspect.isclass(implementation) or not isinstance(name, str) or not callable(bind):
            raise TypeError(
                f"expected a {self.layer}: an object with a str `name` and a method `bind`, "
                f"found {implementation!r}"
            )
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+]*", name):
            raise ValueError(
                f"name of a {self.layer}: expected letters, digits and _ . + only, found {name!r}"
            )
        if name in self._registered:
            raise ValueError(
                f"{self.layer} {name!r} is registered already, by "
                f"{type(self._registered[name]).__qualname__}: choose another name, or unregister that first"
            )
        self._registered[name] = implementation
        return implementation

    def unregister(self, name: str) -> N:
        """Take the one called `name` out again, and return it; raises `KeyError` naming those there are."""
        found = self.get(name)
        del self._registered[name]
        return found

    def get(self, name: str) -> N:
        """The one called `name`; raises `KeyError` naming those there are."""
        try:
            return self._registered[name]
        except KeyError:
            raise KeyError(
                f"expected a registered {self.layer} ({', '.join(self._registered)}), found {name!r}"
            ) from None

    def all(self) -> tuple[N, ...]:
        """Every one: gnnbench's own first, then others in the order of their registration."""
        return tuple(self._registered.values())
