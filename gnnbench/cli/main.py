"""The `gnnbench` command: which commands there are, and what becomes of errors."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from gnnbench import __version__
from gnnbench.record import DocumentError, ExitCode

#: command → module that holds a click command of that name. Imported only when it is called for.
_COMMANDS = {
    "run": "gnnbench.cli.run",
    "report": "gnnbench.cli.report",
    "prove": "gnnbench.cli.prove",
    "replay": "gnnbench.cli.replay",
}

_EPILOG = """\b
Exit codes:
  0  good                          10  performance regressed
  1  a check failed                11  baseline incomparable
  2  interrupted                   12  contract unmet, or a required device absent
  3  internal error                13  inconclusive where a judgement was required
  4  usage error
  5  nothing to judge
"""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(module), cmd_name)
        return command


@click.group(cls=_LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Tell whether a GPU image is right, fast and unchanged for graph neural networks."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors are one line each, and the exit code is one of `ExitCode`."""
    try:
        code = cli.main(args=arguments, prog_name="gnnbench", standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        # click would exit with 2, which is pytest's word for an interrupted run.
        error.show()
        code = ExitCode.USAGE_ERROR
    except (click.Abort, KeyboardInterrupt):
        click.echo("gnnbench: interrupted", err=True)
        code = ExitCode.INTERRUPTED
    except DocumentError as error:
        click.echo(f"gnnbench: {error}", err=True)
        code = ExitCode.USAGE_ERROR
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain about it on the way out.
        sys.stdout = None
        code = ExitCode.GOOD
    except OSError as error:
        click.echo(f"gnnbench: {error}", err=True)
        code = ExitCode.USAGE_ERROR
    sys.exit(int(code or 0))
