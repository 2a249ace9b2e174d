"""Which devices a run is made on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class TorchUnusableError(ValueError):
    """torch can't be imported, so that there is no device to name."""


def resolve_devices(names: Sequence[str] = ()) -> tuple[torch.device, ...]:
    """The devices called `names`, in order and each once; without names every GPU, else the CPU.

    Args:
        names: `cpu`, `cuda` (every GPU that torch sees) or `cuda:N`.

    Raises:
        TorchUnusableError: torch is not installed, its import fails, or another thing bears its name.
        ValueError: a name is no device, or names a GPU that is not there; says what was found.
    """
    try:
        import torch
    except Exception as error:  # a broken torch raises OSError, RuntimeError and others besides ImportError
        raise TorchUnusableError(
            f"expected an importable torch, found {type(error).__name__}: {error}. "
            "Install torch, or mend its shared libraries: `python -c 'import torch'` shows the whole error."
        ) from error

    try:
        # Not is_available(): it can be true while no device is visible.
        count = torch.cuda.device_count()
    except Exception as error:
        place = getattr(torch, "__file__", None) or next(iter(getattr(torch, "__path__", ["?"])))
        raise TorchUnusableError(
            f"expected PyTorch, found {place}, which can't count its GPUs: {type(error).__name__}: {error}. "
            "Take what hides PyTorch off sys.path (PYTHONPATH), or install torch again."
        ) from error
    if not names:
        return tuple(torch.device("cuda", index) for index in range(count)) or (torch.device("cpu"),)
    devices: dict[torch.device, None] = {}
    for name in names:
        devices.update(dict.fromkeys(_named(name.strip(), count)))
    return tuple(devices)


def _named(name: str, count: int) -> tuple[torch.device, ...]:
    import torch

    match = re.fullmatch(r"(cpu)|cuda(?::(\d+))?", name)
    if match is None:
        raise ValueError(
            f"expected a device `cpu`, `cuda` or `cuda:N`, found {name!r}. "
            "gnnbench judges NVIDIA GPUs and the CPU."
        )
    if match[1]:
        return (torch.device("cpu"),)
    if count == 0:
        raise ValueError(f"expected a GPU for {name!r}, found none: {_why_none()}")
    if match[2] is None:
        return tuple(torch.device("cuda", index) for index in range(count))
    index = int(match[2])
    if index >= count:
        raise ValueError(
            f"expected a GPU for {name!r}, found {count} (cuda:0 to cuda:{count - 1}). "
            "Name one of these, or make more visible (CUDA_VISIBLE_DEVICES, `docker run --gpus all`)."
        )
    return (torch.device("cuda", index),)


def _why_none() -> str:
    from gnnbench.environment.absence import gpu_absence

    absence = gpu_absence()
    return "" if absence is None else f"{absence.summary}: {absence.fix}."
