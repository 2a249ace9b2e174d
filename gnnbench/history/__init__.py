"""Documents compared: what differs between two images, and what is known to follow from it.

Imports the record alone, and never torch: a laptop compares what a cluster recorded.
"""

from gnnbench.history.change import Change
from gnnbench.history.checks import TURNS, CheckChange, CountChange, MarginChange
from gnnbench.history.consequence import Consequence, Named, Weight, address, short
from gnnbench.history.consequences import CONSEQUENCES
from gnnbench.history.difference import Difference, compare

__all__ = [
    "CONSEQUENCES",
    "TURNS",
    "Change",
    "CheckChange",
    "Consequence",
    "CountChange",
    "Difference",
    "MarginChange",
    "Named",
    "Weight",
    "address",
    "compare",
    "short",
]
