"""Running a probe in a process of its own, so that it can crash, hang or run out of memory alone."""

from gnnbench.environment.child.fork_server import ForkServer
from gnnbench.environment.child.interpreter import Child, run, start
from gnnbench.environment.child.report import ChildReport, Ending, Limits

__all__ = ["Child", "ChildReport", "Ending", "ForkServer", "Limits", "run", "start"]
