"""The `gnnbench` command: which commands there are, and what becomes of errors."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from typing import Any

import click

from gnnbench import __version__
from gnnbench.cli.complaints import of_click, of_system
from gnnbench.record import DocumentError, ExitCode

#: command → module that holds a click command of that name. Imported only when it is called for.
_COMMANDS = {
    "run": "gnnbench.cli.run",
    "report": "gnnbench.cli.report",
    "prove": "gnnbench.cli.prove",
    "replay": "gnnbench.cli.replay",
    "snapshot": "gnnbench.cli.snapshot",
    "diff": "gnnbench.cli.diff",
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

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] not in _COMMANDS:
            ctx.fail(f"expected a command ({', '.join(_COMMANDS)}), found {args[0]!r}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Left to click, it would put an empty line before ours.
            raise click.Abort from None


@click.group(
    cls=_LazyGroup,
    epilog=_EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Tell whether a GPU image is right, fast and unchanged for graph neural networks."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(ExitCode.USAGE_ERROR)


def run_command(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; what goes wrong on the user's side is one line each."""
    try:
        code = cli.main(args=arguments, prog_name="gnnbench", standalone_mode=False)
        return int(code or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        # click would exit with 2, which is pytest's word for an interrupted run.
        return _refuse(of_click(error))
    except click.Abort:
        click.echo("gnnbench: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain about it on the way out.
        sys.stdout = None
        return ExitCode.GOOD
    except (DocumentError, OSError) as error:
        return _refuse(of_system(error))
    except Exception:
        # Python would exit with 1, which says that a check failed.
        traceback.print_exc()
        click.echo("gnnbench: internal error: the lines above belong into a report of it", err=True)
        return ExitCode.INTERNAL_ERROR


def _refuse(complaint: str) -> int:
    click.echo(f"gnnbench: {complaint}", err=True)
    return ExitCode.USAGE_ERROR
