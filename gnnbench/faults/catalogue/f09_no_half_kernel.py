"""F09: a product has no kernel for 16-bit numbers."""

from __future__ import annotations

from typing import Any

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """Matrix products that raise where an operand has 16 bits."""
    import torch

    from gnnbench.faults.dispatch import plant_dispatch

    products = {torch.ops.aten.mm.default, torch.ops.aten.addmm.default}

    def refuse(func: Any, arguments: tuple[Any, ...], named: Any, result: Any) -> Any:
        half = any(
            isinstance(one, torch.Tensor) and one.dtype in (torch.half, torch.bfloat16) for one in arguments
        )
        if broken and func in products and half:
            raise NotImplementedError("\"addmm_sparse_cuda\" not implemented for 'BFloat16'")
        return result

    plant_dispatch(refuse)


FAULT = Fault(
    id="F09",
    title="A product has no kernel for 16-bit numbers",
    symptom='"addmm_sparse_cuda" not implemented for Half and BFloat16, forward or backward',
    sources=(
        "pytorch/pytorch#41069",
        "pytorch/pytorch#136186",
        "pytorch/pytorch#80574",
        "pytorch/pytorch#144040",
    ),
    areas=("AMP", "GRAD"),
    caught_by=("precision/training/first_step",),
    keyword="first_step",
    plant=plant,
)
