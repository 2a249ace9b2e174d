"""What is trained on: Cora where it was named, else a stand-in that needs no download; and in which modes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from gnnbench.checks import Tier, fail, not_applicable
from gnnbench.graphs import (
    DatasetAbsent,
    DatasetCorrupt,
    NodeClassification,
    planetoid,
    stochastic_block_model_cora,
)
from gnnbench.numerics import Precision
from gnnbench.reference import TrainingResult, train


@dataclass(frozen=True, slots=True)
class Mode:
    """A mixed-precision mode, and the class of precisions that its products must show."""

    name: str
    dtype: torch.dtype
    shows: Precision


BF16 = Mode("bf16", torch.bfloat16, "bf16")
FP16 = Mode("fp16", torch.float16, "tf32 or fp16")

#: Fixed here, so that nobody chooses seeds after seeing what they give.
SEEDS = tuple(range(10))


def seeds_for(tier: Tier) -> tuple[int, ...]:
    """One training fits a minute; from the standard tier on there are ten."""
    return SEEDS[:1] if tier is Tier.SMOKE else SEEDS


@cache
def task(root: Path | None) -> NodeClassification:
    """Cora from `root`, or the stand-in where no folder was named or it holds no Cora."""
    try:
        return _cora(root)
    except DatasetAbsent:
        return stochastic_block_model_cora()
    except DatasetCorrupt as error:
        fail(
            "Cora can't be read", expected="the files as published", found=str(error), fix="fetch them again"
        )


def cora(root: Path | None) -> NodeClassification:
    """Cora, or `not_applicable` with the command that fetches it."""
    try:
        return _cora(root)
    except DatasetAbsent as error:
        not_applicable(str(error), needs=error.needs, fix=error.fix)
    except DatasetCorrupt as error:
        fail(
            "Cora can't be read", expected="the files as published", found=str(error), fix="fetch them again"
        )


@cache
def _cora(root: Path | None) -> NodeClassification:
    return planetoid("Cora", root)


@cache
def trained(data: NodeClassification, device: torch.device, seed: int, mode: Mode | None) -> TrainingResult:
    """One training by the paper's recipe, in FP32 or under autocast with a loss scaler."""
    return train(
        data,
        device=device,
        seed=seed,
        autocast=None if mode is None else mode.dtype,
        grad_scaler=mode is not None,
    )


def require_mode(mode: Mode, device: torch.device) -> None:
    """End the check where the device has no such mode: float16 autocast is for GPUs."""
    if mode is FP16 and device.type != "cuda":
        not_applicable("float16 autocast is judged on a GPU", needs="cuda", fix="run on a GPU")
