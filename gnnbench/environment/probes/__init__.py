"""What is tried in processes of its own: each probe does the thing that it asks for, and says where it was done.

A probe is a function that runs in a child. It returns plain JSON values, among them `device`, where it ran; it raises
what the library raises, `ArithmeticError` for a result that is wrong, and `FellBackError` for one that was computed
elsewhere than asked.
"""

from gnnbench.environment.probes.result import FellBackError

__all__ = ["FellBackError"]
