"""Memory: what a training step takes, and the largest graph that survives one. Imports no torch."""

from gnnbench.memory.budget import BudgetError, available_host_bytes, largest_host_budget, require_host_budget
from gnnbench.memory.client import TrialServer, TrialServerError
from gnnbench.memory.outcome import TrialEnd, TrialOutcome
from gnnbench.memory.search import Bracket, Probe, find_largest
from gnnbench.memory.workload import Workload

__all__ = [
    "Bracket",
    "BudgetError",
    "Probe",
    "TrialEnd",
    "TrialOutcome",
    "TrialServer",
    "TrialServerError",
    "Workload",
    "available_host_bytes",
    "find_largest",
    "largest_host_budget",
    "require_host_budget",
]
