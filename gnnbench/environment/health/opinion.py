"""What one question about health comes to for one GPU: faults, remarks, and what could not be judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gnnbench.environment.nvml import Loss, NvmlGpu


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with a GPU."""

    text: str
    """What was found, as half a sentence: `1 of 16 PCIe lanes in use`."""
    expected: str
    fix: str
    cause: str = ""


@dataclass(slots=True)
class Opinion:
    """What one question about health comes to, for one GPU."""

    gpu: str
    """How messages call it."""
    troubles: list[Trouble] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """Worth knowing, and no fault."""
    unread: list[str] = field(default_factory=list)
    """What the question needs and NVML did not tell, with the reason."""
    lacks: list[str] = field(default_factory=list)
    """What this GPU does not have, so that there is nothing to ask."""

    def trouble(self, text: str, *, expected: str, fix: str, cause: str = "") -> None:
        """Hold something against the GPU."""
        self.troubles.append(Trouble(text, expected, fix, cause))

    def need(self, gpu: NvmlGpu, name: str, *, unless: str = "") -> Any:
        """The value of a question that the judgement rests on, or None, having noted why there is none.

        Args:
            gpu: whose.
            name: of the question.
            unless: what a GPU that does not support the question has not; empty where every GPU must answer it.
        """
        reading = gpu[name]
        if reading.loss is Loss.UNSUPPORTED and unless:
            if unless not in self.lacks:
                self.lacks.append(unless)
        elif reading.loss is not None:
            self.unread.append(f"{name}: {reading.why}")
        return reading.value

    @property
    def judged(self) -> bool:
        """Whether there was something to judge, and all of it could be."""
        return not (self.unread or self.lacks)
