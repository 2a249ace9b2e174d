"""The command line: one file a command."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; the exit code is one of `ExitCode`.

    Nothing is imported before this is called, so that Ctrl-C in the first moments, which go into imports, is one
    line too, and no traceback.
    """
    try:
        from gnnbench.cli.commands import run_command

        code = run_command(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("gnnbench: interrupted\n")
        code = 2  # ExitCode.INTERRUPTED, which may not have been imported
    sys.exit(code)


__all__ = ["main"]
