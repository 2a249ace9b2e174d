"""How many threads a training gets on a CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """One thread on the CPU.

    An epoch on Cora is a hundred kernels of a few microseconds each. On two idle cores a second thread gains
    little; on busy ones, waiting for it in each kernel took thirty times as long as the training.
    """
    import torch  # not at the top: without torch every file would fail to load here, and none be judged

    callspec = getattr(request.node, "callspec", None)
    device = None if callspec is None else callspec.params.get("device")
    if not isinstance(device, torch.device) or device.type != "cpu":
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
