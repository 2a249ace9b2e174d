"""Keeping devices busy while something is read from them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_BYTES = 64 << 20
_BEGIN_S = 60.0


@contextmanager
def copying(devices: Sequence[str]) -> Iterator[bool]:
    """Copy from the host to each of `devices`, over and over, from another thread.

    A PCIe link that idles falls to a lower generation; under this load it shows the one that it can do.

    Args:
        devices: as torch names them, `cuda:0`.

    Yields:
        Whether every device has been copied to at least once, so that its link is awake.
    """
    begun, enough = threading.Event(), threading.Event()
    thread = threading.Thread(target=_copy, args=(devices, begun, enough), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + _BEGIN_S
        while thread.is_alive() and time.monotonic() < deadline and not begun.wait(0.02):
            pass
        yield begun.is_set()
    finally:
        enough.set()
        thread.join(_BEGIN_S)


def _copy(devices: Sequence[str], begun: threading.Event, enough: threading.Event) -> None:
    import torch

    try:
        host = torch.empty(_BYTES, dtype=torch.uint8, pin_memory=any(name != "cpu" for name in devices))
        targets = [torch.empty(_BYTES, dtype=torch.uint8, device=name) for name in devices]
        while not enough.is_set():
            for target in targets:
                target.copy_(host, non_blocking=True)
            for target in targets:
                if target.is_cuda:
                    torch.cuda.synchronize(target.device)
            begun.set()
    except RuntimeError:
        return  # out of memory, or a device that is ill: other checks say so
