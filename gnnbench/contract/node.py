"""A value in a contract with its place, and complaints that point at it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from gnnbench.contract.clause import Place
from gnnbench.contract.complaint import ContractError, nearest
from gnnbench.contract.locator import Path
from gnnbench.contract.toml_text import toml_key, toml_value

#: Characters of a value that a complaint repeats.
_SHORT = 60
#: Characters of a text or a key.
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the document. Whatever is wrong with it raises `ContractError`, in one line."""

    file: str
    path: Path
    value: Any
    lines: Mapping[Path, int]

    @property
    def name(self) -> str:
        """The last part of its key."""
        return str(self.path[-1])

    @property
    def key(self) -> str:
        """The whole of it; an element of an array is named by what it says: `extensions.work[torch_scatter]`."""
        key = toml_key(*self.path)
        return f"{key}[{self.value}]" if self.path and isinstance(self.path[-1], int) else key

    @property
    def place(self) -> Place:
        """Key and line."""
        return Place(self.key, self.lines.get(self.path, 1))

    def child(self, name: str | int) -> Node:
        """The value under a key, or an element."""
        return Node(self.file, (*self.path, name), self.value[name], self.lines)

    def children(self, what: str) -> Iterator[Node]:
        """The values of a table, in order; `what` it should be is for the complaint."""
        if not isinstance(self.value, dict):
            self.wrong(what)
        return map(self.child, self.value)

    def elements(self, what: str) -> list[Node]:
        """The elements of an array, each once."""
        if not isinstance(self.value, list):
            self.wrong(what)
        found = [self.child(position) for position in range(len(self.value))]
        for position, one in enumerate(found):
            if any(one.value == other.value for other in found[:position]):
                one.complain("it stands in this array already; take one of them out")
        return found

    def texts(self, what: str) -> list[Node]:
        """The elements of an array that holds texts only, and at least one."""
        found = self.elements(what)
        for one in found:
            if not isinstance(one.value, str) or not one.value.strip():
                one.wrong("a text that is not empty", element=True)
        if not found:
            self.wrong(f"{what} that has an element, for without one it asks for nothing")
        return found

    def only(self, known: Collection[str]) -> None:
        """Refuse keys of this table that are not among `known`."""
        for child in self.children("a table"):
            if child.name not in known:
                child.unknown("a key", known)

    def refuse_outsized(self) -> None:
        """Refuse numbers and texts, here and in all below, that are too long to mean anything.

        TOML's whole numbers have 64 bits (toml.io, v1.0.0, "Integer"). Libraries behind us raise for some longer ones.
        """
        if isinstance(self.value, (dict, list)):
            for name in self.value if isinstance(self.value, dict) else range(len(self.value)):
                if isinstance(name, str) and len(name) > _LONGEST:
                    self.complain(f"expected keys of at most {_LONGEST} characters, found one of {len(name)}")
                self.child(name).refuse_outsized()
        elif isinstance(self.value, str) and len(self.value) > _LONGEST:
            found = f"found one of {len(self.value)}"
            self.complain(f"expected a text of at most {_LONGEST} characters, {found}", element=True)
        elif isinstance(self.value, int) and not -(2**63) <= self.value < 2**63:
            self.complain(
                f"expected a whole number of 64 bits, found one of {self.value.bit_length()}", element=True
            )

    def unknown(self, what: str, known: Collection[str]) -> NoReturn:
        """Refuse its name, giving the nearest that is known."""
        self.complain(f"expected {what} that contracts have, found {self.name!r}{nearest(self.name, known)}")

    def wrong(self, expected: str, *, element: bool = False, hint: str = "") -> NoReturn:
        """Refuse the value."""
        self.complain(f"expected {expected}, found {self._shown()}{hint}", element=element)

    def _shown(self) -> str:
        """The value as TOML spells it, where that is short."""
        if isinstance(self.value, list):
            return "an array" if self.value else "an empty array"
        if isinstance(self.value, dict):
            return "a table"
        if isinstance(self.value, (str, int, float)):
            text = toml_value(self.value)
            return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
        return f"the date or time {self.value}"

    def complain(self, text: str, *, element: bool = False) -> NoReturn:
        """Raise, with file, line and key before `text`."""
        key = toml_key(*self.path) if element else self.key
        line = self.lines.get(self.path, 1)
        raise ContractError(" ".join(f"{self.file}:{line}: {key}: {text}".split()))
