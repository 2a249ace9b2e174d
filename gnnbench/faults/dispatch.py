"""Faults beneath torch's operators: a dispatch mode that sees every one of them, and may spoil it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

#: `(operator, its arguments, those by keyword, its result) → the result to go on with`.
Alter = Callable[[Any, tuple[Any, ...], Mapping[str, Any], Any], Any]


class Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Hands each operator's result through `alter`."""

    def __init__(self, alter: Alter) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own
        self._alter = alter

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operator, then spoil its result."""
        named = kwargs or {}
        return self._alter(func, args, named, func(*args, **named))


def plant_dispatch(alter: Alter) -> None:
    """See every operator of this thread from now on, for as long as the process lives."""
    # Never left: the process is the fault's own.
    Dispatch(alter).__enter__()  # type: ignore[no-untyped-call]  # torch's own
