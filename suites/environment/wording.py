"""How findings about many files are put into a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gnnbench.environment import audit

#: How many of a list are told.
TOLD = 3


def torch_of(compiled: audit.Inventory) -> str:
    """The torch that is installed: `torch 2.8.0 (for CUDA 12.6)`."""
    if compiled.torch is None:
        return "no torch"
    built = f"for CUDA {compiled.torch.cuda}" if compiled.torch.cuda else "CPU-only"
    return f"torch {compiled.torch.version} ({built})"


def listed(architectures: Iterable[str]) -> str:
    """Architectures, machine code before PTX and old before new: `sm_80, sm_90, compute_90`."""
    return ", ".join(sorted(architectures, key=lambda one: (one.startswith("c"), len(one), one))) or "none"


def names(names: Iterable[str]) -> str:
    """The first few names."""
    return told(names, joint=", ")


def told(lines: Iterable[str], total: int | None = None, joint: str = "; ") -> str:
    """The first few of `lines`, and how many more there are; `total` where `lines` are not all."""
    lines = list(lines)
    rest = (len(lines) if total is None else total) - min(len(lines), TOLD)
    return joint.join(lines[:TOLD]) + (f", and {rest} more" if rest > 0 else "")


def more(found: Sequence[object]) -> str:
    """How many there are besides the first: ` (and 3 more)`; empty for none."""
    others = len(found) - 1
    return f" (and {others} more)" if others else ""


def count(found: Sequence[object], noun: str) -> str:
    """`1 file`, `3 files`."""
    return f"{len(found)} {noun}{'s' * (len(found) != 1)}"
