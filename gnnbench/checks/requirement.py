"""What the user said must be there: `cuda`, `cuda:2`, `dataset:Cora`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

KINDS = ("cuda", "dataset", "package")


def parse_requirement(text: str) -> str:
    """Check the spelling of one requirement and return it, its kind in lower case.

    Raises `ValueError` for anything but `cuda`, `cuda:N` with N at least 1, `dataset:NAME` or `package:NAME`.
    """
    kind, colon, name = text.partition(":")
    text = f"{kind.lower()}{colon}{name}"
    if re.fullmatch(r"cuda(:[1-9]\d*)?|dataset:\w+|package:[\w.-]+", text):
        return text
    raise ValueError(f"expected cuda, cuda:N, dataset:NAME or package:NAME, found {text!r}")


def demanded(needs: str, requirements: Collection[str]) -> bool:
    """Whether the lack of `needs` breaks one of `requirements`.

    The lack of any GPU (`cuda`) breaks every `cuda:N`; the lack of a second one (`cuda:2`) breaks
    `cuda:2` and `cuda:4`, but neither `cuda` nor `cuda:1`.
    """
    return breaks(needs, requirements) is not None


def breaks(needs: str, requirements: Iterable[str]) -> str | None:
    """Which of `requirements`, the first of them, the lack of `needs` breaks; None: none.

    Packages are told apart as package indexes do (PEP 503): `torch_scatter` is `torch-scatter`.
    """
    if not needs:
        return None
    lacking, name = _gpu_count(needs), _canonical(needs)
    for requirement in requirements:
        if _canonical(requirement) == name:
            return requirement
        if lacking is not None and (_gpu_count(requirement) or 0) >= lacking:
            return requirement
    return None


def _canonical(text: str) -> str:
    kind, _, name = text.partition(":")
    return f"package:{re.sub(r'[-_.]+', '-', name).lower()}" if kind == "package" else text


def _gpu_count(text: str) -> int | None:
    kind, _, count = text.partition(":")
    return int(count or 1) if kind == "cuda" else None
