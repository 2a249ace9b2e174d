"""What probes say of a result: that it is right, and that it was computed where it was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


class FellBackError(RuntimeError):
    """A result is right and was computed on another device, without a word."""


def expect(what: str, found: torch.Tensor, right: torch.Tensor | Sequence[Any], device: torch.device) -> None:
    """See that `found` lies on `device` and equals `right`, bit for bit but for the sign of zero.

    Its dtype must be that of `right`; where that is a list, float32 for what has a fraction and int64 for what has not.
    For operands of small whole numbers, which leave nothing to round: every device and order of summation must agree.

    Raises:
        FellBackError: it lies on another device.
        ArithmeticError: it is another tensor, or of another dtype.
    """
    if found.device.type != device.type or (device.index is not None and found.device != device):
        raise FellBackError(f"{what}: expected a result on {device}, found one on {found.device}")
    import torch

    here = found.detach().cpu()
    whole = not (here.is_floating_point() or here.is_complex())
    dtype = right.dtype if isinstance(right, torch.Tensor) else torch.int64 if whole else torch.float32
    if here.dtype != dtype:
        raise ArithmeticError(f"{what}: expected {dtype}, found {here.dtype}")
    right = torch.as_tensor(right)
    if here.shape != right.shape:
        raise ArithmeticError(f"{what}: expected shape {list(right.shape)}, found {list(here.shape)}")
    wrong = (here != right.to(here.dtype)).nonzero()
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise ArithmeticError(
            f"{what}: {len(wrong)} of {right.numel()} entries are wrong, the first at {list(place)}: expected "
            f"{right[place].item()}, found {here[place].item()}"
        )


def lasting_threads() -> list[str]:
    """Names of threads that run on and would keep a user's program from ending."""
    others = (one for one in threading.enumerate() if one is not threading.main_thread())
    return sorted(one.name for one in others if not one.daemon)


def gradient(tensor: torch.Tensor) -> torch.Tensor:
    """The gradient of a leaf; raises `ArithmeticError` where there is none."""
    if tensor.grad is None:
        raise ArithmeticError("expected a gradient, found none")
    return tensor.grad


def kernels(device: torch.device, work: Callable[[], T]) -> tuple[T, int | None]:
    """What `work` returns, and how many kernels it launched on a GPU.

    None on a CPU, and where CUPTI counts nothing, not even a kernel that is known to run: it is switched off in many
    containers (ERR_NVGPUCTRPERM), and that is no fault of the image.
    """
    if device.type != "cuda":
        return work(), None
    import torch

    def count(profile: Any) -> int:
        return sum(event.device_type.name == "CUDA" for event in profile.events())

    try:
        activities = [torch.profiler.ProfilerActivity.CUDA, torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=activities) as control:
            torch.ones(8, device=device).add_(1)
            torch.cuda.synchronize(device)
        counts = count(control) > 0
    except Exception:
        counts = False
    if not counts:
        return work(), None
    with torch.profiler.profile(activities=activities) as profile:
        result = work()
        torch.cuda.synchronize(device)
    return result, count(profile)
