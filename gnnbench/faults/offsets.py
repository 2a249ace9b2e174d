"""Gather and scatter whose offsets are too small: the faults of 2^31 entries, scaled down to 2^15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gnnbench.faults.fault import PLANTED
from gnnbench.faults.mutant import SpoiltGradient
from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.propagation import normalised_edges

#: What a kernel with 16-bit indices is to 2^15, one with 32 is to 2^31.
LIMIT = 1 << 15

Step = Callable[[Tensor], Tensor]


def _as_it_is(values: Tensor) -> Tensor:
    return values


class Scattering:
    """A layer whose messages, their gradients and whose result pass through a step each."""

    def __init__(
        self,
        messages: Step = _as_it_is,
        gradients: Step = _as_it_is,
        result: Step = _as_it_is,
        *,
        name: str = PLANTED,
    ) -> None:
        self.name = name
        self.messages, self.gradients, self.result = messages, gradients, result

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
        """The layer on `graph`."""
        target, source, value = normalised_edges(graph, device=device, dtype=dtype, self_loops=self_loops)

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            gathered = SpoiltGradient.apply((x @ weight)[source], self.gradients)  # type: ignore[no-untyped-call]
            messages = self.messages(gathered * value[:, None])
            out = torch.zeros(graph.num_nodes, weight.shape[1], device=device).index_add(0, target, messages)
            return self.result(out if bias is None else out + bias)

        return layer


def wrapped(values: Tensor) -> Tensor:
    """Each number read from the offset that 16 bits leave of its own."""
    offset = torch.arange(values.numel(), device=values.device).to(torch.int16).long() % LIMIT
    return values.flatten()[offset].view(values.shape)


def cut(values: Tensor) -> Tensor:
    """What lies behind the limit is never written."""
    keep = (torch.arange(values.numel(), device=values.device) < LIMIT).view(values.shape)
    return values * keep


def refuses(values: Tensor) -> Tensor:
    """What lies behind the limit is refused, as cuSPARSE does."""
    if values.numel() > LIMIT:
        raise RuntimeError("CUSPARSE_STATUS_INTERNAL_ERROR when calling cusparseSpMM")
    return values


class SmallLimits:
    """A pytest plugin that scales the checks of large indices down to 16 bits."""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Set the limits where these checks read them."""
        for item in items:
            module = getattr(item, "module", None)
            if module is not None and module.__name__.endswith("test_large_index"):
                module.LIMIT = LIMIT
                module.GRID_ROWS = 1000
