"""How exactly a layer computes d^-1/2 of powers of 4, which is what exact probes stand on.

No standard promises it: IEEE 754 rounds square root and division correctly, and leaves pow and rsqrt to the library
(CUDA C++ Programming Guide, "Mathematical Functions": 4 and 2 ulp). A layer whose roots are within that is right and
can't be bit for bit equal to the oracle on probes whose degrees are powers of 4: it is to be judged by its bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.graphs import EXACT_DEGREES, Graph
from gnnbench.numerics.bounds import INVERSE_ROOT_ROUNDINGS

#: Nodes that only speak: as many as the largest degree needs beside the loop.
_LEAVES = max(EXACT_DEGREES) - 1

#: Of them, those that are listened to. All that hear anybody but themselves hear these.
_SPEAKERS = min(degree for degree in EXACT_DEGREES if degree > 1) - 1

#: Two inverse roots and two products make an entry of Â.
_ROUNDINGS = 2 * INVERSE_ROOT_ROUNDINGS + 2


@dataclass(frozen=True, slots=True)
class InverseRoots:
    """What a layer made of 1/√(d_i · d_j) for d_i of 1 to 1,024 and d_j = 1."""

    roundings: float
    """The largest relative error, in units of the unit roundoff u of the dtype; infinite where an entry is missing,
    is where none should be, or differs from another of the same degrees."""

    @property
    def exact(self) -> bool:
        """Whether every entry is the power of two that it must be."""
        return self.roundings == 0

    @property
    def rounded(self) -> bool:
        """Whether they are off, and no further than the bounds allow for the roots."""
        return 0 < self.roundings <= _ROUNDINGS


def roots_graph() -> Graph:
    """One node of each normalised in-degree in `EXACT_DEGREES` under A + I, after the nodes that they hear."""
    sources = [torch.arange(degree - 1) for degree in EXACT_DEGREES]
    targets = [torch.full((degree - 1,), _LEAVES + at) for at, degree in enumerate(EXACT_DEGREES)]
    return Graph(torch.stack([torch.cat(sources), torch.cat(targets)]), _LEAVES + len(EXACT_DEGREES))


@torch.no_grad()
def inverse_roots(
    layer: Callable[[Tensor, Tensor, Tensor | None], Tensor], device: torch.device, dtype: torch.dtype
) -> InverseRoots:
    """Read the entries of Â off `layer`, which is bound to `roots_graph()`: nodes 0, 1 and 2 say 1, a column each.

    What a root is off by depends on the degree alone, so the three must agree: else it is no matter of roots.
    Whatever the layer raises passes through.
    """
    expected = torch.zeros(_LEAVES + len(EXACT_DEGREES), _SPEAKERS, dtype=torch.float64)
    expected[:_SPEAKERS] = torch.eye(_SPEAKERS)
    # The first of them has degree 1, for it hears nobody but itself; all others hear all three.
    expected[_LEAVES + 1 :] = torch.tensor(EXACT_DEGREES[1:], dtype=torch.float64).pow(-0.5)[:, None]
    speak = torch.eye(_SPEAKERS, device=device, dtype=dtype)
    x = torch.zeros(expected.shape, device=device, dtype=dtype)
    x[:_SPEAKERS] = speak
    out = layer(x, speak, None)
    found = out.detach().to("cpu", torch.float64)
    if found.shape != expected.shape or bool((found[expected == 0] != 0).any()):
        return InverseRoots(math.inf)
    # One row for each degree, 1 first.
    entries = torch.cat([found[:_SPEAKERS].diagonal()[None], found[_LEAVES + 1 :]])
    if not bool((entries == entries[:, :1]).all()):
        return InverseRoots(math.inf)
    error = (entries[:, 0] * torch.tensor(EXACT_DEGREES, dtype=torch.float64).sqrt() - 1).abs().max()
    return InverseRoots(float(error) / (torch.finfo(dtype).eps / 2))
