"""The GPUs' health: what NVML's readings mean, one question a function, each with what to do about a fault.

A reading that is lost is never a pass and never a fault: the question that needs it can't be judged. What a GPU does
not have at all is told apart from that.
"""

from gnnbench.environment.health.change import changed, counterpart, gone, grown, lost
from gnnbench.environment.health.memory import memory_errors, remapped_rows
from gnnbench.environment.health.opinion import Opinion, Trouble
from gnnbench.environment.health.speed import clocks, power, temperature, throttling
from gnnbench.environment.health.use import modes, others, own_processes
from gnnbench.environment.health.wires import fabric, nvlink, pcie
from gnnbench.environment.health.xids import Listener, Xid, judge_xids, kernel_log

__all__ = [
    "Listener",
    "Opinion",
    "Trouble",
    "Xid",
    "changed",
    "clocks",
    "counterpart",
    "fabric",
    "gone",
    "grown",
    "judge_xids",
    "kernel_log",
    "lost",
    "memory_errors",
    "modes",
    "nvlink",
    "others",
    "own_processes",
    "pcie",
    "power",
    "remapped_rows",
    "temperature",
    "throttling",
]
