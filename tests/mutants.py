"""The mutants of the catalogue, under the names that the tests use."""

from gnnbench.faults.defects import merged, next_float, one_entry, rounded, twice, without
from gnnbench.faults.mutant import Edges, Mutant, SpoiltGradient, symmetric

__all__ = [
    "Edges",
    "Mutant",
    "SpoiltGradient",
    "merged",
    "next_float",
    "one_entry",
    "rounded",
    "symmetric",
    "twice",
    "without",
]
