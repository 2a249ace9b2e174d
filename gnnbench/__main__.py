"""`python -m gnnbench`: the command, with this Python."""

from gnnbench.cli import main

main()
