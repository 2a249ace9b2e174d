"""What is asked of the child process that runs trials, as one line of JSON."""

from __future__ import annotations

import base64
import json
import pickle
from dataclasses import dataclass
from typing import Any

from gnnbench.memory.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRequest:
    """One trial."""

    workload: Workload
    backend: Any
    """The backend object; its class must be importable in the child."""
    device: str
    """`cpu`, `cuda:0`."""
    budget_bytes: int | None
    """None: no budget of its own."""
    timeout: float
    """Seconds, from the request to the answer."""
    steps: int = 1
    recover_nodes: int | None = None
    """After running out of memory, drop the error and train this many nodes in the same process."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps: expected 1 or more, found {self.steps}")
        if not self.timeout > 0:
            raise ValueError(f"timeout: expected more than 0 seconds, found {self.timeout}")
        if self.budget_bytes is not None and self.budget_bytes <= 0:
            raise ValueError(f"budget: expected more than 0 bytes, found {self.budget_bytes}")

    def encode(self) -> str:
        """One line; raises `TypeError` for a backend that can't be sent to another process."""
        try:
            backend = pickle.dumps(self.backend)
        except Exception as error:  # pickle raises whatever the object's own methods raise
            raise TypeError(
                f"backend {getattr(self.backend, 'name', self.backend)!r} can't be sent to "
                "the child process that runs "
                f"trials: {error}. Define its class at the top of an importable module."
            ) from error
        body = {
            "workload": self.workload.encode(),
            "backend": base64.b64encode(backend).decode(),
            "device": self.device,
            "budget_bytes": self.budget_bytes,
            "timeout": self.timeout,
            "steps": self.steps,
            "recover_nodes": self.recover_nodes,
        }
        return json.dumps(body)

    @classmethod
    def decode(cls, line: str) -> TrialRequest:
        """From what `encode` gave; imports the module of the backend's class."""
        body = json.loads(line)
        workload = Workload(**body.pop("workload"))
        # Our own parent wrote it, through a pipe of ours.
        backend = pickle.loads(base64.b64decode(body.pop("backend")))  # noqa: S301
        return cls(workload=workload, backend=backend, **body)
