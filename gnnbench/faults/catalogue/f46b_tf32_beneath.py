"""F46b: dense products beneath a real backend round their operands."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """mm on operands rounded to 11 significant bits, beneath the default backend."""
    import torch

    from gnnbench.faults.defects import rounded
    from gnnbench.faults.dispatch import plant_dispatch

    def alter(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        if not broken or func is not torch.ops.aten.mm.default:
            return result
        if any(one.layout != torch.strided or one.dtype != torch.float32 for one in arguments):
            return result
        return func(*map(rounded(11), arguments))

    plant_dispatch(alter)


FAULT = Fault(
    id="F46b",
    title="Products beneath the default backend run in TF32",
    symptom="1024.5 became 1025 in a product of float32 matrices",
    sources=(
        "pytorch/pytorch#53635",
        "pytorch/pytorch#153195",
    ),
    areas=("AMP",),
    caught_by=(
        "equivalence/bounded/layer",
        "equivalence/precision/declared",
        "equivalence/precision/tripwire",
    ),
    keyword="csr and not compiled and not primitives",
    plant=plant,
)
