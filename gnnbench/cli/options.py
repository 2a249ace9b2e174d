"""Options that more than one command has, and types of values whose complaints all read alike."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from gnnbench.cli.sinks import require_writable

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def spelt(word: str, known: Sequence[str]) -> str:
    """`word` as it stands in `known`, whatever its case; raises `click.BadParameter` where it does not."""
    for name in known:
        if name.lower() == word.lower():
            return name
    close = difflib.get_close_matches(word.lower(), [name.lower() for name in known], n=1)
    mend = f"; did you mean {spelt(close[0], known)}?" if close else ""
    raise click.BadParameter(f"expected one of {', '.join(known)}, found {word!r}{mend}")


class OneOf(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """One of a few words, in upper or lower case."""

    name = "word"

    def __init__(self, known: Sequence[str]) -> None:
        self._known = tuple(known)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """As the help shows it: `[smoke|standard]`."""
        return f"[{'|'.join(self._known)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word as it is spelt here."""
        return spelt(str(value), self._known)


class Number(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A number that is `fit`, told as `words`: `Number(int, "a whole number of at least 1", lambda n: n >= 1)`."""

    name = "number"

    def __init__(self, kind: type[int | float], words: str, fit: Callable[[float], bool]) -> None:
        self._kind, self._words, self._fit = kind, words, fit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """The number."""
        try:
            number = self._kind(value)
        except ValueError:
            number = None
        if number is None or not self._fit(number):
            raise click.BadParameter(f"expected {self._words}, found {value!r}")
        return number


def words_option(
    flag: str, name: str, what: str, *, each: Callable[[str], str] = str, metavar: str = "NAME", **more: Any
) -> Decorator:
    """An option that takes words, again or with commas for more: each once, in their order.

    A value without a word is a mistake, for without the option all would be meant: `--suite "$UNSET"`.

    Args:
        flag: `--suite`.
        name: of the command's argument.
        what: a word is, for the complaint.
        each: gives a word as it is meant; raises `click.BadParameter` for one that is wrong.
        metavar: for the help.
        more: for `click.option`.
    """

    def split(_: click.Context, __: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for value in values:
            words = value.replace(",", " ").split()
            if not words:
                raise click.BadParameter(
                    f"expected {what}, found {value!r}; leave {flag} out to mean the default"
                )
            found.update(dict.fromkeys(map(each, words)))
        return tuple(found)

    return click.option(flag, name, multiple=True, metavar=metavar, callback=split, **more)


def devices_option(default: str) -> Decorator:
    """`--device`; `default` says where it goes without."""
    return words_option(
        "--device",
        "devices",
        "cpu, cuda or cuda:N",
        each=str.lower,
        help=f"cpu, cuda, cuda:N; again or with commas for more.  [default: {default}]",
    )


def json_option(what: str = "the document") -> Decorator:
    """`--json`, refused before the work and not after it where it can't be written."""

    def checked(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        require_writable(value)
        return value

    return click.option(
        "--json",
        "json_to",
        metavar="PATH|-",
        callback=checked,
        help=f"Also write {what} here; `-` is stdout.",
    )


def run_options(whose: str) -> Decorator:
    """`--output` and `--json`, of the commands that leave a run of their own."""

    def decorate(command: Command) -> Command:
        output = click.option(
            "--output",
            metavar="DIR",
            type=click.Path(path_type=Path),
            default=Path("reports"),
            show_default=True,
            help=f"Where the {whose}'s own folder is made.",
        )
        return output(json_option()(command))

    return decorate


def pytest_arguments(command: Command) -> Command:
    """Everything after `--`."""
    return click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- PYTEST_ARGS]")(
        command
    )


charts_option = click.option(
    "--charts/--no-charts", default=True, help="Draw figures into the report (needs the report extra)."
)
