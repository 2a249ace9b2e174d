"""The catalogue of planted faults, and the proof that the suites catch each of them. Imports no torch."""

from gnnbench.faults.catalogue import catalogue
from gnnbench.faults.fault import Area, Fault
from gnnbench.faults.proof import Proof, prove

__all__ = ["Area", "Fault", "Proof", "catalogue", "prove"]
