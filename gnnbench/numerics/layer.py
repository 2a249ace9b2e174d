"""What goes into one GCN layer, and what comes out of it: forward result and gradients."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from torch import Tensor

Quantity = Literal["forward", "dX", "dW", "db"]
QUANTITIES: tuple[Quantity, ...] = ("forward", "dX", "dW", "db")
GRADIENTS: tuple[Quantity, ...] = ("dX", "dW", "db")


#: What the axes of each quantity count.
_AXES: dict[str, tuple[str, ...]] = {
    "forward": ("node", "channel"),
    "dX": ("node", "feature"),
    "dW": ("feature", "channel"),
    "db": ("channel",),
    "d_edge_weight": ("edge",),
    # GraphSAGE's two weights, and GAT's two vectors of attention.
    "dW_l": ("feature", "channel"),
    "dW_r": ("feature", "channel"),
    "da_src": ("head", "channel"),
    "da_dst": ("head", "channel"),
}


def entry_name(quantity: str, index: tuple[int, ...]) -> str:
    """An index in the words of the graph: `node 17, channel 3`."""
    return ", ".join(f"{axis} {i}" for axis, i in zip(_AXES[quantity], index, strict=True))


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class LayerInputs:
    """The operands of a layer and the gradient that arrives from above.

    Raises `ValueError` for shapes that do not fit together.
    """

    x: Tensor
    """`[N, F]`."""
    weight: Tensor
    """`[F, C]`."""
    bias: Tensor | None
    """`[C]`."""
    upstream: Tensor
    """`[N, C]`: G, the derivative of the loss by the layer's result."""

    def __post_init__(self) -> None:
        (n, f), c = self.x.shape, self.weight.shape[-1]
        for name, shape in (("weight", (f, c)), ("bias", (c,)), ("upstream", (n, c))):
            tensor = getattr(self, name)
            if tensor is not None and tuple(tensor.shape) != shape:
                raise ValueError(f"{name}: expected shape {list(shape)}, found {list(tensor.shape)}")

    def require_finite(self) -> None:
        """Raise `ValueError` naming the first entry that is NaN or infinite: no bound holds for those."""
        for field in fields(self):
            tensor = getattr(self, field.name)
            if tensor is not None and not bool(torch.isfinite(tensor).all()):
                index = (~torch.isfinite(tensor)).nonzero()[0].tolist()
                raise ValueError(f"{field.name}{index}: expected a finite number")

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> LayerInputs:
        """The same on another device or in another dtype; always fresh copies, so that they may be spoilt."""
        return LayerInputs(
            x=self.x.to(device, dtype, copy=True),
            weight=self.weight.to(device, dtype, copy=True),
            bias=None if self.bias is None else self.bias.to(device, dtype, copy=True),
            upstream=self.upstream.to(device, dtype, copy=True),
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class LayerResult:
    """The four quantities by which a layer is judged; None where one does not exist."""

    forward: Any
    """`[N, C]`. A tensor where the layer keeps its promise; whatever it returned where not."""
    dX: Tensor | None = None  # noqa: N815 - the names of the papers
    """`[N, F]`."""
    dW: Tensor | None = None  # noqa: N815
    """`[F, C]`."""
    db: Tensor | None = None
    """`[C]`."""


def evaluate(
    layer: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    inputs: LayerInputs,
    gradients: Collection[Quantity] = GRADIENTS,
) -> LayerResult:
    """Run `layer` forward and backward on `inputs`, whose tensors stay as they are unless the layer spoils
    them.

    Only the operands of `gradients` require one. A gradient that does not exist is None: where the result
    does not depend on the operand, or has not the form that `inputs.upstream` has. Whatever the layer raises
    passes through.
    """
    x = inputs.x.detach().requires_grad_("dX" in gradients)
    weight = inputs.weight.detach().requires_grad_("dW" in gradients)
    bias = None if inputs.bias is None else inputs.bias.detach().requires_grad_("db" in gradients)
    with torch.enable_grad():
        out = layer(x, weight, bias)
    if not isinstance(out, Tensor) or not out.requires_grad or out.shape != inputs.upstream.shape:
        return LayerResult(forward=out)
    operands = {"dX": x, "dW": weight, "db": bias}
    wanted = {name: one for name, one in operands.items() if one is not None and one.requires_grad}
    upstream = inputs.upstream.to(out.dtype)
    found = torch.autograd.grad(out, list(wanted.values()), upstream, allow_unused=True)
    return LayerResult(forward=out.detach(), **dict(zip(wanted, found, strict=True)))
