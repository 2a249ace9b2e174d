"""Which backends there are. Every one registered here goes through the whole equivalence suite."""

from __future__ import annotations

import inspect
import re
from importlib import metadata

import torch

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.protocol import Backend, Layer

#: Distributions offer backends under this entry-point group; each entry is a backend, or a class or function
#: that makes one when called without arguments. A function that returns None has nothing to offer in this
#: image, as where the library it would drive is not installed: no check is made of it, and nothing turns red.
ENTRY_POINT_GROUP = "gnnbench.backends"

_registered: dict[str, Backend] = {}
_loaded_entry_points: set[str] = set()


class BrokenBackend:
    """Stands in for a backend whose entry point would not load, so that its checks turn red and say why."""

    def __init__(self, name: str, origin: str, error: Exception) -> None:
        self.name = name
        self.origin = origin
        self.error = error

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Never binds; raises `RuntimeError` with what went wrong while loading."""
        raise RuntimeError(
            f"backend {self.name!r} could not be loaded from {self.origin}: "
            f"{type(self.error).__name__}: {self.error}. Mend or uninstall the distribution that offers it."
        ) from self.error


def register_backend(backend: Backend) -> Backend:
    """Add `backend` to those that are tested, and return it.

    Raises:
        TypeError: where it has no `name` or no `bind`.
        ValueError: where its name is taken, or can't stand in a check's id.
    """
    name = getattr(backend, "name", None)
    if inspect.isclass(backend) or not isinstance(name, str) or not callable(getattr(backend, "bind", None)):
        raise TypeError(
            f"expected a backend: an object with a str `name` and a method `bind(graph, *, device, dtype, "
            f"self_loops)`, found {backend!r}"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+]*", name):
        raise ValueError(f"backend name: expected letters, digits and _ . + only, found {name!r}")
    if name in _registered:
        raise ValueError(
            f"backend {name!r} is registered already, by {type(_registered[name]).__qualname__}: "
            f"choose another name, or call unregister_backend({name!r}) first"
        )
    _registered[name] = backend
    return backend


def unregister_backend(name: str) -> Backend:
    """Take the backend called `name` out again, and return it; raises `KeyError` naming those there are."""
    found = backend(name)
    del _registered[name]
    return found


def backend(name: str) -> Backend:
    """The backend called `name`; raises `KeyError` naming those there are."""
    _load_entry_points()
    try:
        return _registered[name]
    except KeyError:
        raise KeyError(f"expected a registered backend ({', '.join(_registered)}), found {name!r}") from None


def backends() -> tuple[Backend, ...]:
    """Every registered backend: gnnbench's own first, then others in the order of their registration."""
    _load_entry_points()
    return tuple(_registered.values())


def _load_entry_points() -> None:
    """Register what installed distributions offer, each entry once in a process."""
    # Sorted, because the order in which distributions are found is the file system's, and check ids must be
    # collected in one order by every worker.
    for entry in sorted(
        metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda found: (found.name, found.value)
    ):
        origin = f"entry point {entry.name} = {entry.value}"
        if origin in _loaded_entry_points:
            continue
        _loaded_entry_points.add(origin)
        try:
            loaded = entry.load()
            made = loaded() if inspect.isclass(loaded) or not hasattr(loaded, "bind") else loaded
            if made is not None:
                register_backend(made)
        except Exception as error:
            name = entry.name if entry.name not in _registered else f"{entry.name}+"
            _registered[name] = BrokenBackend(name, origin, error)
