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

#: Two inverse roots and two products make an entry of Â.
_ROUNDINGS = 2 * INVERSE_ROOT_ROUNDINGS + 2


@dataclass(frozen=True, slots=True)
class InverseRoots:
    """What a layer made of 1/√(d_i · d_j) for d_i of 1 to 1,024 and d_j = 1."""

    roundings: float
    """The largest relative error, in units of the unit roundoff u of the dtype; infinite where an entry is missing,
    or is where none should be."""

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
    """Read the entries of Â off `layer`, which is bound to `roots_graph()`: node 0 alone says 1.

    Whatever the layer raises passes through.
    """
    expected = torch.zeros(_LEAVES + len(EXACT_DEGREES), dtype=torch.float64)
    expected[0] = 1
    # The first of them has degree 1, for it hears nobody but itself.
    expected[_LEAVES + 1 :] = torch.tensor(EXACT_DEGREES[1:], dtype=torch.float64).pow(-0.5)
    x = torch.zeros(len(expected), 1, device=device, dtype=dtype)
    x[0] = 1
    out = layer(x, torch.ones(1, 1, device=device, dtype=dtype), None)
    found = out.detach().to("cpu", torch.float64).reshape(-1)
    if found.shape != expected.shape or bool((found[expected == 0] != 0).any()):
        return InverseRoots(math.inf)
    told = expected != 0
    error = float(((found - expected).abs() / expected)[told].max())
    return InverseRoots(math.inf if math.isnan(error) else error / (torch.finfo(dtype).eps / 2))
