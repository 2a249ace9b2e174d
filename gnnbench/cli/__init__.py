"""The command line: one file a command."""

from gnnbench.cli.main import main

__all__ = ["main"]
