"""One thing that NVML was asked: what it said, or why that can't be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gnnbench.record.codec import encode

#: Characters of an answer that is nonsense, or of an exception, that are kept.
_SAID_LIMIT = 120

#: NVML's return codes (nvml.h, `nvmlReturn_t`), as far as they decide what is lost.
_NOT_SUPPORTED, _NO_PERMISSION, _FUNCTION_NOT_FOUND, _GPU_IS_LOST, _RESET_REQUIRED = 3, 4, 13, 15, 16
_OPERATING_SYSTEM, _GPU_NOT_FOUND = 17, 28
#: What NVML writes into a counter that it has not: -1, as wide as the counter.
_ALL_ONES = (2**32 - 1, 2**64 - 1)


class Loss(str, Enum):
    """Why there is no value."""

    UNSUPPORTED = "not supported"
    """This GPU, or the mode it is in, has no such thing."""
    ABSENT = "not in this NVML"
    """The driver's library or nvidia-ml-py is older than the question, or newer."""
    REFUSED = "refused"
    """It takes rights that this user or container has not."""
    LOST = "GPU lost"
    """The GPU no longer answers, or must be reset first."""
    NONSENSE = "nonsense"
    """An answer that can't be."""
    ERROR = "error"
    """Anything else."""


_LOSSES = {
    _NOT_SUPPORTED: Loss.UNSUPPORTED,
    _NO_PERMISSION: Loss.REFUSED,
    _OPERATING_SYSTEM: Loss.REFUSED,
    _FUNCTION_NOT_FOUND: Loss.ABSENT,
    _GPU_IS_LOST: Loss.LOST,
    _GPU_NOT_FOUND: Loss.LOST,
    _RESET_REQUIRED: Loss.LOST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of one question: a value, or why there is none."""

    value: Any = None
    """A plain JSON value; None where there is none."""
    loss: Loss | None = None
    said: str = ""
    """For a loss: what NVML said instead."""

    @property
    def why(self) -> str:
        """Why there is no value, in words; empty where there is one."""
        return (
            "" if self.loss is None else f"{self.loss.value}: {self.said}" if self.said else self.loss.value
        )


UNASKED = Reading(loss=Loss.ABSENT, said="was not asked")


def ask(question: Callable[[], Any], sensible: Callable[[Any], bool] = lambda _: True) -> Reading:
    """Ask, and take whatever comes: an answer, one that makes no sense, any exception.

    Args:
        question: returns a JSON value. What it raises costs this reading alone.
        sensible: whether an answer can be true; what it raises counts as no.
    """
    try:
        value = encode(question())
    except Exception as error:
        return Reading(loss=loss_of(error), said=_shorten(describe(error)))
    try:
        fits = sensible(value)
    except Exception:
        fits = False
    return Reading(value=value) if fits else Reading(loss=Loss.NONSENSE, said=_shorten(_said(value)))


def _said(value: Any) -> str:
    signed = isinstance(value, int) and 2**31 <= value < 2**32
    return f"it says {value!r}" + (f", which is {value - 2**32} where it has a sign" if signed else "")


def loss_of(error: BaseException) -> Loss:
    """What an exception of a question means for it."""
    if isinstance(error, AttributeError):
        return Loss.ABSENT  # nvidia-ml-py has no such function
    code = getattr(error, "value", None)
    return _LOSSES.get(code, Loss.ERROR) if isinstance(code, int) else Loss.ERROR


def describe(error: BaseException) -> str:
    """An exception in one line: NVML's own words, or the class and message of any other."""
    try:
        words = " ".join(str(error).split())
    except Exception:
        words = "an error that can't be put into words"
    return words if hasattr(error, "value") else f"{type(error).__name__}: {words}"


def _shorten(text: str) -> str:
    return text if len(text) <= _SAID_LIMIT else f"{text[:_SAID_LIMIT]}…"


def within(low: float, high: float) -> Callable[[Any], bool]:
    """Sensible: a number from `low` to `high`, both included."""
    return lambda value: low <= value <= high


def one_of(*values: Any) -> Callable[[Any], bool]:
    """Sensible: one of these."""
    return lambda value: value in values


def is_count(value: Any) -> bool:
    """Sensible: a counter, which is never negative and never all ones."""
    return 0 <= int(value) < 2**63 and value not in _ALL_ONES


def is_text(value: Any) -> bool:
    """Sensible: something to read."""
    return bool(value.strip()) and value.isprintable()


def text(value: Any) -> Any:
    """Text that NVML gave: older nvidia-ml-py answers bytes. Raises what decoding raises where it is no text."""
    return value.decode() if isinstance(value, bytes) else value
