"""Whether a device has the memory that a large check needs, said before and after."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gnnbench.checks import Evidence, not_applicable
from gnnbench.memory import available_host_bytes
from gnnbench.memory.outcome import end_of_error

GIB = 1 << 30

#: What a CPU is given: more would take it longer than 20 s, and its indices are 64 bits wide anyway.
CPU_BYTES = GIB


@contextmanager
def room(device: torch.device, needed: int, what: str, evidence: Evidence) -> Iterator[None]:
    """Go on where `needed` bytes are free on `device`; end the check as not applicable where they are not.

    Also where the device runs out of memory in spite of it. What was allocated is handed back afterwards.
    """
    evidence.fact("needs_bytes", needed)
    gib = needed / GIB
    needs = f"memory:{math.ceil(gib)}GiB"
    if device.type == "cuda":
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(device)
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    else:
        free = available_host_bytes()
        if needed > CPU_BYTES:
            not_applicable(f"{what} needs {gib:.1f} GiB of work, and is judged on GPUs", needs="cuda")
    evidence.fact("free_bytes", free)
    if needed > free:
        not_applicable(f"{what} needs {gib:.1f} GiB, {free / GIB:.1f} GiB are free on {device}", needs=needs)
    try:
        yield
    except Exception as error:
        # Of a host too: a dense matrix of a million rows is refused at once, and is no fault of the kernel.
        if not end_of_error(error).out_of_memory:
            raise
        reason = str(error).partition("\n")[0]
        not_applicable(
            f"{what} needs more than the {gib:.1f} GiB it was taken to need: {reason}", needs=needs
        )
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
