"""On which line of a TOML text each key and each element of an array stands. Parsers of TOML do not tell."""

from __future__ import annotations

import bisect
import re

from gnnbench.contract.toml_text import read_toml

#: Keys and positions in arrays from the top of the document: `("extensions", "work", 0)`.
Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"""[^\s.=\[\]{}#"',]+""")
# Three quotes end a text of several lines; up to two more before them belong to it.
_TEXT = re.compile(
    r'''"""(?:[^\\]|\\.)*?""""{0,2}|\'\'\'.*?\'\'\''{0,2}|"(?:[^"\\]|\\.)*"|'[^']*\'''', re.DOTALL
)
# Of all values only a date may hold a blank.
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d [^\s,\]}#]+|[^\s,\]}#]+")


def locate(text: str) -> dict[Path, int]:
    """Path → line, counted from 1, of every key, table and element of an array in a valid TOML text.

    A table that dotted keys or deeper headers imply stands where it is first implied. What becomes of a text that is no
    TOML is undefined: parse it before.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def duplicate(text: str) -> tuple[Path, int, int] | None:
    """The first key or table that stands twice in a text that is no TOML for it: path, line, and line before; else None."""
    scanner = _Scanner(text)
    try:
        scanner.document()
    except (ValueError, RecursionError):
        pass  # wrong in another way too, further down
    return scanner.twice[0] if scanner.twice else None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self.twice: list[tuple[Path, int, int]] = []
        self._defined: set[Path] = set()
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        #: Elements so far of each array of tables.
        self._tables: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._skip() < len(self._text):
            if self._ahead("[["):
                table = self._header("[[", "]]")
            elif self._ahead("["):
                table = self._header("[", "]")
            else:
                self._pair(table)

    def _header(self, opening: str, closing: str) -> Path:
        line = self._line()
        self._at += len(opening)
        names = self._key()
        self._skip()
        self._at += len(closing)
        path: Path = ()
        for position, name in enumerate(names):
            path = (*path, name)
            self._note(path, line)
            if opening == "[" and position == len(names) - 1:
                if path in self._defined:
                    self.twice.append((path, line, self.lines[path]))
                self._defined.add(path)
            if opening == "[[" and position == len(names) - 1:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
                self._note(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line, path = self._line(), table
        for name in self._key():
            path = (*path, name)
            self._note(path, line)
        if path in self._defined:
            self.twice.append((path, line, self.lines[path]))
        self._defined.add(path)
        self._skip()
        self._at += len("=")
        self._value(path)

    def _key(self) -> list[str]:
        names = []
        while True:
            self._skip()
            names.append(self._name())
            self._skip()
            if not self._ahead("."):
                return names
            self._at += 1

    def _name(self) -> str:
        if self._ahead('"') or self._ahead("'"):
            return str(read_toml(f"name = {self._take(_TEXT)}")["name"])
        return self._take(_BARE)

    def _value(self, path: Path) -> None:
        self._skip()
        if self._ahead("["):
            self._array(path)
        elif self._ahead("{"):
            self._inline_table(path)
        else:
            self._take(_TEXT if self._ahead('"') or self._ahead("'") else _PLAIN)

    def _array(self, path: Path) -> None:
        self._at += 1
        position = 0
        while self._skip() < len(self._text) and not self._ahead("]"):
            self._note((*path, position), self._line())
            self._value((*path, position))
            position += 1
            self._skip()
            self._at += self._ahead(",")
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._skip() < len(self._text) and not self._ahead("}"):
            self._pair(path)
            self._skip()
            self._at += self._ahead(",")
        self._at += 1

    def _note(self, path: Path, line: int) -> None:
        self.lines.setdefault(path, line)

    def _line(self) -> int:
        return bisect.bisect_left(self._breaks, self._at) + 1

    def _ahead(self, token: str) -> bool:
        return self._text.startswith(token, self._at)

    def _skip(self) -> int:
        """Go on to what is neither blank nor comment, and say where that is."""
        match = _BLANK.match(self._text, self._at)
        self._at = self._at if match is None else match.end()
        return self._at

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"line {self._line()}: expected TOML, found {self._text[self._at :][:20]!r}")
        self._at = match.end()
        return match.group()
