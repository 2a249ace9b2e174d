"""Layers with any number of parameters: running them, and judging what they gave.

The GCN layer has `layer.py` and `comparison.py`; these are the same steps for GraphSAGE and GAT, whose
operands and gradients have other names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from gnnbench.numerics.comparison import Comparison, entrywise, misformed
from gnnbench.numerics.layer import entry_name

T = TypeVar("T", bound="Operands")


class Operands:
    """What goes into a layer: dataclasses of tensors or None, in the order in which a layer takes them."""

    upstream: Tensor
    """`[N, C]`: G, the derivative of the loss by the layer's result."""

    def by_gradient(self) -> dict[str, Tensor | None]:
        """The operands in the order of the call, each under the name of its gradient."""
        raise NotImplementedError

    def to(self: T, device: torch.device | str, dtype: torch.dtype | None = None) -> T:  # noqa: PYI019 - 3.10
        """The same on another device or in another dtype; always fresh copies, so that they may be spoilt."""
        moved = {name: value.detach().to(device, dtype, copy=True) for name, value in self._tensors()}
        return replace(self, **moved)  # type: ignore[type-var]  # every subclass is a dataclass

    def require_finite(self) -> None:
        """Raise `ValueError` naming the first entry that is NaN or infinite: no bound holds for those."""
        for name, value in self._tensors():
            if not bool(torch.isfinite(value).all()):
                index = (~torch.isfinite(value)).nonzero()[0].tolist()
                raise ValueError(f"{name}{index}: expected a finite number")

    def require_shapes(self, **shapes: tuple[int, ...]) -> None:
        """Raise `ValueError` naming the first operand that has not the shape given for it."""
        for name, value in self._tensors():
            if name in shapes and tuple(value.shape) != shapes[name]:
                raise ValueError(f"{name}: expected shape {list(shapes[name])}, found {list(value.shape)}")

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                yield field.name, value


class Answer(Protocol):
    """What an oracle knows: what is right, how far off rounding may be, and what known faults would give."""

    @property
    def values(self) -> Mapping[str, Tensor]:
        """`forward` and each gradient that there is, float64 on the host."""
        ...

    def bound(self, quantity: str) -> Tensor:
        """The largest error that rounding in float32 explains, of the quantity's shape."""
        ...

    def alternatives(self) -> Iterator[tuple[str, Answer]]:
        """Known faults in words, each with what the layer would give under it."""
        ...


def run_layer(layer: Callable[..., Any], operands: Operands) -> dict[str, Any]:
    """Run `layer` forward and backward.

    Returns:
        `forward`, and the gradient of each operand that is there; None where it does not exist because the
        result does not depend on the operand, or has not the form of `operands.upstream`. Whatever the layer
        raises passes through.
    """
    taken = {
        name: None if value is None else value.detach().requires_grad_()
        for name, value in operands.by_gradient().items()
    }
    leaves = {name: value for name, value in taken.items() if value is not None}
    with torch.enable_grad():
        out = layer(*taken.values())
    if not isinstance(out, Tensor) or not out.requires_grad or out.shape != operands.upstream.shape:
        return {"forward": out, **dict.fromkeys(leaves)}
    found = torch.autograd.grad(
        out, list(leaves.values()), operands.upstream.to(out.dtype), allow_unused=True
    )
    return {"forward": out.detach(), **dict(zip(leaves, found, strict=True))}


def compare_answer(
    found: Mapping[str, Any],
    answer: Answer,
    bounds: Mapping[str, Tensor] | None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    quantities: Sequence[str] | None = None,
) -> list[Comparison]:
    """Each quantity of `found` against the oracle's.

    Args:
        found: as `run_layer` gives it.
        answer: what is right.
        bounds: how far off each entry may be; None where every bit must be equal, but for the sign of a zero.
        device: where the results must be.
        dtype: what they must be.
        quantities: which of them; all that the answer has where left out.
    """
    comparisons = []
    for name in answer.values if quantities is None else quantities:
        expected = answer.values[name]
        got: Any = found.get(name)
        comparison = misformed(name, got, expected.shape, device=torch.device(device), dtype=dtype)
        if comparison is None:
            bound = torch.zeros_like(expected) if bounds is None else bounds[name]
            if bound.shape != expected.shape or not bool(torch.isfinite(bound).all()):
                raise ValueError(f"bound of {name}: expected finite numbers in shape {list(expected.shape)}")
            comparison = entrywise(
                name,
                "exact" if bounds is None else "componentwise",
                got,
                expected,
                bound,
                _diagnosis(name, answer),
            )
        comparisons.append(comparison)
    return comparisons


def _diagnosis(name: str, answer: Answer) -> Callable[[Tensor, Tensor], str]:
    return lambda values, beyond: likely_cause(name, values, beyond, answer)


def likely_cause(name: str, got: Tensor, beyond: Tensor, answer: Answer) -> str:
    """One sentence: the known fault that gives just these numbers, or where the wrong ones lie.

    Args:
        name: the quantity.
        got: its values in float64 on the host.
        beyond: bool, of the same shape: the entries that are wrong.
        answer: what is right.
    """
    bad = ~torch.isfinite(got)
    if bool(bad.any()):
        first = tuple(int(i) for i in bad.nonzero()[0])
        return (
            f"{float(got[first])} at {int(bad.sum()):,} entries, first at {entry_name(name, first)}: an "
            "overflow, as of an exponential whose maximum was not subtracted, a division by zero, or memory "
            "that was never written"
        )
    if not bool(got.any()):
        return "all entries are zero: nothing was written, or nothing was added up"
    expected, bound = answer.values[name], answer.bound(name)
    error = (got - expected).norm()
    causes = []
    for cause, other in answer.alternatives():
        result = other.values.get(name)
        # What gives the right result as well explains nothing. Bounds cost more than results, so they are
        # asked of those faults only that come closer than what is right.
        if (
            result is not None
            and result.shape == got.shape
            and not _within(result, expected, bound)
            and bool((got - result).norm() < error)
            and _within(got, result, 2 * other.bound(name))
        ):
            causes.append(cause)
    if causes:
        return "; or else ".join(causes[:2])
    if _within(got, expected, bound):
        return "within what rounding in float32 explains, though nothing can round on this probe"
    rows = beyond.reshape(beyond.shape[0], math.prod(beyond.shape[1:])).any(dim=1).nonzero()[:, 0]
    word = entry_name(name, (0,) * beyond.dim()).split()[0]
    if len(rows) == 1 and beyond.shape[0] > 1:
        return f"no known cause fits; all wrong entries are in {word} {int(rows[0])}"
    return ""


def _within(got: Tensor, expected: Tensor, bound: Tensor) -> bool:
    return bool(((got - expected).abs() <= bound).all())
