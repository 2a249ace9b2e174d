"""What is wrong with a command line, in one line of one shape: where, what was expected, what was found, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable

import click


def of_click(error: click.ClickException) -> str:
    """`--tier: expected smoke, standard, full or soak, found 'huge'; gnnbench run --help says more`."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "gnnbench"
    return _line(_said(error, path), f"{path} --help says more")


def of_system(error: Exception) -> str:
    """A file or a folder that can't be used; a document's own complaint, which names it, stands as it is."""
    if isinstance(error, OSError) and error.filename is not None:
        return _line(f"{error.filename}: expected a place that can be used, found {error.strerror}")
    return _line(str(error))


#: What pytest says → how we say it. The first that fits is taken.
_PYTEST = (
    (
        r"file or directory not found: (.*)",
        r"expected options, found '\1'; a suite is named by --suite, and what is meant for pytest stands after --",
    ),
    (
        r"unrecognized arguments: (.*)",
        r"expected options that pytest has after --, found unrecognized arguments: \1; pytest --help lists them",
    ),
    (
        r"Wrong expression passed to '(-\w)': (.*)",
        r"\1: expected names of checks joined by and, or, not, found \2",
    ),
    (
        r"Error importing plugin \"(.*?)\": (.*)",
        r"-p \1: expected a module that can be imported, found \2; call gnnbench from the folder that holds it, or "
        r"name that folder in PYTHONPATH",
    ),
)


def of_pytest(output: str) -> list[str]:
    """Why pytest refused to begin, from what it printed: one line each."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # argparse puts its usage first, and the name of a program that nobody called before what it says.
    wrong = [line for line in lines if "error:" in line.lower() and "usage: pytest" not in line]
    return list(dict.fromkeys(map(_reworded, wrong or lines[-5:])))


def _reworded(line: str) -> str:
    said = re.sub(r"^(?:ERROR: |pytest\.main\(\): )?(?:error: )?", "", line).replace("--gnnbench-", "--")
    for pattern, words in _PYTEST:
        if re.fullmatch(pattern, said):
            return re.sub(pattern, words, said, count=1)
    return said


def _said(error: click.ClickException, path: str) -> str:
    if isinstance(error, click.NoSuchOption):
        close = f"; did you mean {_any_of(error.possibilities)}?" if error.possibilities else ""
        return f"expected an option of {path}, found {error.option_name!r}{close}"
    if isinstance(error, click.BadOptionUsage):
        return f"{error.option_name}: expected a value, found none"
    if isinstance(error, click.MissingParameter):
        return f"expected {_name(error)}, found none"
    if isinstance(error, click.BadParameter) and _name(error):
        return f"{_name(error)}: {error.message}"
    return error.message


def _name(error: click.BadParameter) -> str:
    """Of the option as it is typed, or of the argument as the help has it."""
    if isinstance(error.param_hint, str):
        return error.param_hint
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    return "" if error.param is None else error.param.human_readable_name


def _any_of(words: Iterable[str]) -> str:
    return " or ".join(words)


def _line(said: str, advice: str = "") -> str:
    said = " ".join(said.split()).rstrip(".")
    return said if not advice or "; " in said else f"{said}; {advice}"
