"""The `gnnbench` command."""

from __future__ import annotations

import click


@click.group()
def main() -> None:
    """Tell whether a GPU image is right, fast and unchanged for graph neural networks."""
